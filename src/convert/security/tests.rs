//! Tables of users and options.

use super::*;
use crate::{
    convert::{
        ContainerFacts, SandboxFacts, container_body,
        testing::{found, node, pod, pod_of, sandbox_id},
    },
    engine::ContainerCreateBody,
    pod::History,
};

#[test]
fn a_local_seccomp_profile_is_given_whole() {
    let pod = with("seccompProfile: {type: Localhost, localhostProfile: dir/p.json}", "");
    assert_eq!(seccomp_profile(&pod, &pod.containers[0]).as_deref(), Some("dir/p.json"));
    let own =
        with("seccompProfile: {type: Localhost, localhostProfile: p.json}", "seccompProfile: {type: RuntimeDefault}");
    assert_eq!(seccomp_profile(&own, &own.containers[0]), None);
    let option = |read: Result<&str, &str>| {
        let read = read.map(str::to_owned).map_err(str::to_owned);
        let sandbox = SandboxFacts { id: &sandbox_id(), ips: &[] };
        let image = ImageDetails { id: "sha256:i".into(), ..ImageDetails::default() };
        let facts = ContainerFacts { seccomp_profile: Some(&read), ..found(&sandbox, &image) };
        let body = container_body(&pod, &pod.containers[0], &facts, &History::default(), &node());
        body.map(|body| body.host_config.expect("host").security_opt.unwrap_or_default())
    };
    let profile = "{\n  \"defaultAction\": \"SCMP_ACT_ERRNO\"\n}\n";
    assert_eq!(option(Ok(profile)), Ok(vec![r#"seccomp={"defaultAction":"SCMP_ACT_ERRNO"}"#.to_owned()]));
    for (read, message) in [
        (Ok("{"), "it is not JSON"),
        (
            Err("/r/seccomp/dir/p.json: No such file"),
            "the profile can not be used: /r/seccomp/dir/p.json: No such file",
        ),
    ] {
        let error = option(read).expect_err(message).to_string();
        assert!(error.contains("seccompProfile.localhostProfile") && error.contains(message), "{error}");
    }
}

fn body_on(pod: &Pod, user: &str, node: &NodeFacts) -> Result<ContainerCreateBody, ConvertError> {
    let facts = SandboxFacts { id: &sandbox_id(), ips: &[] };
    let image = ImageDetails { id: "sha256:i".into(), user: user.into(), ..ImageDetails::default() };
    container_body(pod, &pod.containers[0], &found(&facts, &image), &History::default(), node)
}

fn with(pod_context: &str, context: &str) -> Pod {
    pod(&format!(
        "securityContext: {{{pod_context}}}\ncontainers: [{{name: c, image: i, securityContext: {{{context}}}}}]"
    ))
}

#[test]
fn users() {
    for (pod_context, context, image, user) in [
        ("", "", "", "0"),
        ("", "", "1000", "1000"),
        ("", "", "1000:2000", "1000"),
        ("", "", "nobody:nogroup", "nobody"),
        ("runAsUser: 5", "", "1000", "5"),
        ("runAsUser: 5, runAsGroup: 6", "", "", "5:6"),
        ("runAsUser: 5, runAsGroup: 6", "runAsUser: 7", "", "7:6"),
        ("runAsGroup: 6", "runAsGroup: 8", "nobody", "nobody:8"),
        ("runAsNonRoot: true", "", "1000", "1000"),
        ("runAsNonRoot: true", "runAsUser: 9", "root", "9"),
        ("runAsNonRoot: true", "runAsNonRoot: false", "", "0"),
        ("runAsUser: 0", "", "1000", "0"),
    ] {
        let body = body_on(&with(pod_context, context), image, &node()).expect(context);
        assert_eq!(body.user.as_deref(), Some(user), "{pod_context} | {context} | {image}");
    }
}

#[test]
fn root_is_refused_where_it_must_not_be() {
    for (context, image, message) in [
        ("runAsNonRoot: true", "", "the image names no user"),
        ("runAsNonRoot: true", "0:5", "the image's user is 0"),
        ("runAsNonRoot: true, runAsUser: 0", "1000", "runAsUser is 0"),
    ] {
        let error = body_on(&with("", context), image, &node()).expect_err(context).to_string();
        assert!(error.contains("runAsNonRoot") && error.contains(message), "{error}");
    }
}

#[test]
fn named_users_are_looked_up_where_root_is_refused() {
    let container = |pod: &Pod| pod.containers[0].clone();
    let non_root = with("runAsNonRoot: true", "");
    assert_eq!(named_user(&non_root, &container(&non_root), "web:www"), Some("web"));
    assert_eq!(named_user(&non_root, &container(&non_root), "1000:www"), None);
    let anybody = with("runAsNonRoot: true", "runAsNonRoot: false");
    assert_eq!(named_user(&anybody, &container(&anybody), "web"), None);
    let passwd = "root:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/:\nweb:x:33:33::/:\nodd:x:many:1::/:\nshort\n";
    let check = |user| check_named_user(&non_root, &container(&non_root), user, passwd).map_err(|e| e.to_string());
    assert_eq!(check("web"), Ok(()));
    for (user, message) in [
        ("root", "it would run as root (the image's user has the id 0"),
        ("toor", "it would run as root"),
        ("nobody", "\"nobody\" can not be told from root, as its /etc/passwd has no such user"),
        ("odd", "can not be told from root"),
        ("short", "can not be told from root"),
    ] {
        let error = check(user).expect_err(user);
        assert!(error.contains(message), "{error}");
    }
    let covered = pod("securityContext: {runAsNonRoot: true}\nvolumes: [{name: v}]\n\
         containers: [{name: c, image: i, volumeMounts: [{name: v, mountPath: /etc/}]}]");
    let error = body_on(&covered, "web", &node()).expect_err("covered").to_string();
    assert!(error.contains("a volume is mounted over its /etc/passwd"), "{error}");
}

#[test]
fn options() {
    let table: [(&str, &str, &[&str]); 12] = [
        ("", "", &[]),
        ("seccompProfile: {type: Unconfined}", "", &["seccomp=unconfined"]),
        ("seccompProfile: {type: Unconfined}", "seccompProfile: {type: RuntimeDefault}", &[]),
        ("", "allowPrivilegeEscalation: false", &["no-new-privileges"]),
        ("", "allowPrivilegeEscalation: true", &[]),
        ("appArmorProfile: {type: Unconfined}", "", &["apparmor=unconfined"]),
        ("appArmorProfile: {type: Unconfined}", "appArmorProfile: {type: RuntimeDefault}", &[]),
        ("", "appArmorProfile: {type: Localhost, localhostProfile: p1}", &["apparmor=p1"]),
        ("seLinuxOptions: {type: a_t}", "", &["label=type:a_t"]),
        (
            "seLinuxOptions: {type: a_t}",
            "seLinuxOptions: {user: u, role: r, type: t, level: 's0:c1'}",
            &["label=user:u", "label=role:r", "label=type:t", "label=level:s0:c1"],
        ),
        ("seLinuxOptions: {level: ''}", "", &[]),
        (
            "seLinuxOptions: {role: r}",
            "allowPrivilegeEscalation: false, seccompProfile: {type: Unconfined}",
            &["label=role:r", "no-new-privileges", "seccomp=unconfined"],
        ),
    ];
    for (pod_context, context, expected) in table {
        let host = body_on(&with(pod_context, context), "", &node()).expect(context).host_config.expect("host");
        assert_eq!(host.security_opt.unwrap_or_default(), expected, "{pod_context} | {context}");
    }
}

#[test]
fn without_the_seccomp_default_silence_means_unconfined() {
    let old = NodeFacts { seccomp_default: false, ..node() };
    let host = |context| body_on(&with("", context), "", &old).expect(context).host_config.expect("host");
    assert_eq!(host("").security_opt, Some(vec!["seccomp=unconfined".to_owned()]));
    assert_eq!(host("seccompProfile: {type: RuntimeDefault}").security_opt, None);
}

#[test]
fn unknown_words_are_refused() {
    for (pod_context, context, message) in [
        ("", "seccompProfile: {type: Localhost, localhostProfile: p}", "localhostProfile: the profile can not be used"),
        ("", "seccompProfile: {type: runtimedefault}", "\"runtimedefault\" is not one of RuntimeDefault"),
        ("", "appArmorProfile: {type: Localhost}", "needs the name of a loaded profile"),
        ("", "appArmorProfile: {type: none}", "\"none\" is not one of"),
        ("", "procMount: Hidden", "\"Hidden\" is not one of Default, Unmasked"),
        ("supplementalGroupsPolicy: Strict", "", "write Merge"),
        ("supplementalGroupsPolicy: Some", "", "\"Some\" is not one of Merge, Strict"),
    ] {
        let error = body_on(&with(pod_context, context), "", &node()).expect_err(context).to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_profile_that_the_engine_would_ignore_is_refused() {
    let bare = NodeFacts { app_armor: false, ..node() };
    for (context, refused) in [
        ("", false),
        ("appArmorProfile: {type: Unconfined}", false),
        ("appArmorProfile: {type: RuntimeDefault}", true),
        ("appArmorProfile: {type: Localhost, localhostProfile: p}", true),
    ] {
        let pod = with("", context);
        assert!(body_on(&pod, "", &node()).is_ok(), "{context}");
        let body = body_on(&pod, "", &bare).map_err(|error| error.to_string());
        assert_eq!(body.is_err(), refused, "{context}: {body:?}");
        assert!(body.err().is_none_or(|error| error.contains("appArmorProfile: Cannot enforce AppArmor")), "{context}");
    }
}

#[test]
fn old_app_armor_annotations() {
    let annotated = |value: &str, context: &str| {
        let pod = pod_of(&format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: web, annotations: \
             {{container.apparmor.security.beta.kubernetes.io/c: {value}}}}}, \
             spec: {{containers: [{{name: c, image: i, securityContext: {{{context}}}}}]}}}}"
        ));
        body_on(&pod, "", &node()).map(|body| body.host_config.expect("host").security_opt.unwrap_or_default())
    };
    assert_eq!(annotated("runtime/default", ""), Ok(vec![]));
    assert_eq!(annotated("unconfined", ""), Ok(vec!["apparmor=unconfined".to_owned()]));
    assert_eq!(annotated("localhost/p", ""), Ok(vec!["apparmor=p".to_owned()]));
    assert_eq!(annotated("unconfined", "appArmorProfile: {type: RuntimeDefault}"), Ok(vec![]));
    assert!(annotated("localhost/", "").is_err());
    assert!(annotated("p", "").is_err());
}
