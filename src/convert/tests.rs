//! Exact create bodies.

use super::testing::{bodies, pod};

#[test]
fn simplest() {
    insta::assert_json_snapshot!(bodies(&pod("containers: [{name: web, image: 'web:1'}]")));
}
