//! What must hold in every story, whatever went wrong in it. One function for each rule; each returns
//! what broke it.

mod asked;
mod endings;
mod ledger;
mod restarts;
mod safety;

use crate::{chronicle::Story, node::Node};

/// A rule and its name, as printed when it is broken.
type Rule = (&'static str, fn(&Story) -> Vec<String>);

const RULES: [Rule; 17] = [
    ("(a) one live container of a name", safety::one_live_container),
    ("(b) nothing is stopped without a reason", endings::no_stop_without_a_reason),
    ("(c) init containers before apps", safety::init_before_apps),
    ("(d) the sandbox goes last", endings::sandbox_last),
    ("(e) the applied grace", endings::applied_grace),
    ("(e) sidecars after the others", endings::sidecars_last),
    ("preStop before the stop signal", endings::pre_stop_first),
    ("no probe before its delay", asked::initial_delay),
    ("one flight of a probe or hook", asked::one_flight),
    ("startup before the other probes", asked::startup_first),
    ("postStart once for each start", asked::post_start_once),
    ("postStart before the next container", asked::post_start_holds),
    ("sidecars have started before apps", asked::sidecars_started),
    ("restart counts never go backwards", restarts::counts_grow),
    ("no restart before its back-off", restarts::back_off),
    ("images before anything old is stopped", endings::images_first),
    ("foreign containers are left alone", safety::foreign_untouched),
];

/// For stories in which only the daemon dies, and is back within two seconds.
pub fn no_grace_is_lengthened(story: &Story) -> Vec<String> {
    let broken = endings::no_grace_is_lengthened(story);
    broken.into_iter().map(|what| format!("no grace is lengthened: {what}")).collect()
}

/// Everything that is wrong with a story and the node it happened on.
pub fn violations(node: &Node, story: &Story) -> Vec<String> {
    let mut all = node.wrong.clone();
    for (name, rule) in RULES {
        all.extend(rule(story).into_iter().map(|what| format!("{name}: {what}")));
    }
    let abnormal = crate::logs::text();
    all.extend(abnormal.lines().filter(|l| l.contains("ended abnormally")).map(str::to_owned));
    all
}
