use super::{ring::Ring, *};
use crate::time::Clock;

fn key() -> PodKey {
    PodKey::new("default", "web-n1")
}

fn subject(container: &str) -> Subject {
    Subject::Pod {
        key: key(),
        uid: Some(PodUid::new("u1")),
        container: Some((ContainerName::new(container), ContainerKind::App)),
    }
}

fn at(second: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// `count x reason: message`, the newest last.
fn told(ring: &Ring) -> Vec<String> {
    ring.events().map(|e| format!("{} x {}: {}", e.count, e.reason, e.message)).collect()
}

#[test]
fn equal_events_are_one() {
    let mut ring = Ring::default();
    let mut note = |container, message, second| {
        ring.note(subject(container), EventType::Warning, reason::BACK_OFF, message, at(second));
    };
    note("a", "again", 0);
    note("b", "again", 5);
    note("a", "again", 10);
    note("a", "other", 20);
    assert_eq!(told(&ring), ["1 x BackOff: again", "2 x BackOff: again", "1 x BackOff: other"]);
    let twice = ring.events().nth(1).unwrap();
    assert_eq!((twice.first, twice.last), (at(0), at(10)));
    // After an hour it is news again.
    ring.note(subject("a"), EventType::Warning, reason::BACK_OFF, "again", at(10 + 3600));
    assert_eq!(told(&ring).last().unwrap(), "1 x BackOff: again");
}

#[test]
fn many_similar_events_become_one() {
    let mut ring = Ring::default();
    for number in 0..15 {
        ring.note(subject("a"), EventType::Warning, reason::FAILED, &format!("try {number}"), at(number));
    }
    let told = told(&ring);
    assert_eq!(told.len(), 11, "{told:?}");
    assert_eq!(told[9], "1 x Failed: try 9");
    assert_eq!(told[10], "5 x Failed: (combined from similar events): try 14");
}

#[test]
fn the_ring_and_its_messages_are_bounded() {
    let mut ring = Ring::default();
    for number in 0..2000 {
        let pod = Subject::Node(format!("n{number}"));
        ring.note(pod, EventType::Normal, reason::STARTED, &"é".repeat(1000), at(number));
    }
    assert_eq!(ring.events().count(), 1024);
    assert_eq!(ring.events().next().unwrap().subject, Subject::Node("n976".into()));
    assert_eq!(ring.events().next().unwrap().message.len(), 1024);
    ring.note(subject("a"), EventType::Normal, reason::STARTED, &format!("x{}", "é".repeat(1000)), at(3000));
    assert_eq!(ring.events().last().unwrap().message.len(), 1023, "cut at a character");
}

#[tokio::test(start_paused = true)]
async fn an_event_has_the_form_of_the_api() {
    let recorder = Recorder::new(Clock::simulated(at(0)));
    let (key, uid, name) = (key(), PodUid::new("u1"), ContainerName::new("web"));
    let happening = Happening::warning(&key, Some(&uid), reason::BACK_OFF, "Back-off restarting failed container");
    recorder.record(happening.clone().of(&name, ContainerKind::App));
    recorder.record(happening.of(&name, ContainerKind::Sidecar));
    recorder.keep_of_node("n1", EventType::Warning, reason::FAILED_VALIDATION, "web.yaml: spec.x: unknown field");
    let events: Vec<_> = recorder.events().iter().map(|event| api_event(event, "n1")).collect();
    insta::assert_yaml_snapshot!(events);
}
