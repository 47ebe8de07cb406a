//! What an operator does to the fake by hand, and what a test may look at. None of it counts as a
//! call, and a container that is not there is ignored.

use super::{
    Call, FakeEngine, HistoryEntry, World,
    container::{Container, HostPort},
};
use crate::engine::{ContainerCreateBody, ContainerDetails, ImageDetails};
use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

impl FakeEngine {
    /// `docker kill` of a container, by id or name.
    pub fn kill_by_hand(&self, id: &str) {
        self.exit_by_itself(id, 137);
    }

    /// The program of a container ends by itself with `code`.
    pub fn exit_by_itself(&self, id: &str, code: i64) {
        self.with_number(id, |world, number| {
            if world.containers.get(&number).is_some_and(Container::is_live) {
                world.finish(number, code, false);
            }
        });
    }

    /// `docker rm -f`.
    pub fn remove_by_hand(&self, id: &str) {
        self.engine.world().remove(id);
    }

    /// `docker pause`.
    pub fn pause_by_hand(&self, id: &str) {
        self.with_number(id, World::pause);
    }

    /// `docker unpause`.
    pub fn unpause_by_hand(&self, id: &str) {
        self.with_number(id, World::unpause);
    }

    fn with_number(&self, id: &str, act: impl FnOnce(&mut World, u64)) {
        let mut world = self.engine.world();
        if let Some(number) = world.number_of(id) {
            act(&mut world, number);
        }
    }

    /// `docker run -d --name NAME foreign`: a running container without any label of ours. Returns
    /// its id; `None` if the name is taken.
    pub fn add_foreign_container(&self, name: &str) -> Option<String> {
        let mut world = self.engine.world();
        world.images.add("foreign", ImageDetails::default());
        let body = ContainerCreateBody { image: Some("foreign".to_owned()), ..ContainerCreateBody::default() };
        let id = world.create(name, body).ok()?;
        world.start(&id).ok()?;
        Some(id)
    }

    /// A process outside any container binds a host port (`tcp`, `udp`).
    pub fn occupy_host_port(&self, protocol: &str, port: u16) {
        let taken = HostPort { protocol: protocol.to_owned(), ip: String::new(), port };
        self.engine.world().taken_ports.push(taken);
    }

    /// That process goes away.
    pub fn free_host_port(&self, protocol: &str, port: u16) {
        self.engine.world().taken_ports.retain(|p| p.protocol != protocol || p.port != port);
    }

    /// All containers, oldest first.
    pub fn containers(&self) -> Vec<ContainerDetails> {
        self.engine.world().containers.iter().map(|(n, c)| c.details(*n)).collect()
    }

    /// The running (or paused) containers, oldest first.
    pub fn live(&self) -> Vec<ContainerDetails> {
        self.engine.world().containers.iter().filter(|(_, c)| c.is_live()).map(|(n, c)| c.details(*n)).collect()
    }

    /// How many commands run in containers now.
    pub fn running_execs(&self) -> usize {
        self.engine.world().running_execs()
    }

    /// A container by id or name.
    pub fn container(&self, id: &str) -> Option<ContainerDetails> {
        self.engine.world().inspect(id).ok()
    }

    /// What a container was made from.
    pub fn body(&self, id: &str) -> Option<Arc<ContainerCreateBody>> {
        self.engine.world().find(id).ok().map(|c| Arc::clone(&c.body))
    }

    /// Tags of all images on the node, as in `busybox:latest`.
    pub fn images(&self) -> BTreeSet<String> {
        self.engine.world().images.references()
    }

    /// How many calls were made so far.
    pub fn call_count(&self) -> u64 {
        self.engine.world().calls.len() as u64
    }

    /// All calls so far.
    pub fn calls(&self) -> Vec<Call> {
        self.engine.world().calls.clone()
    }

    /// All that happened so far, in order.
    pub fn history(&self) -> Vec<HistoryEntry> {
        self.engine.world().history.clone()
    }

    /// Looks at the history in place, without copying it.
    pub fn with_history<R>(&self, look: impl FnOnce(&[HistoryEntry]) -> R) -> R {
        look(&self.engine.world().history)
    }

    /// Calls and history as text, one line each in order, to print with a failing seed.
    pub fn trace(&self) -> String {
        let world = self.engine.world();
        let mut happened = world.history.iter().peekable();
        let mut text = String::new();
        let mut add = |line: std::fmt::Arguments<'_>| {
            // Writing to a string can not fail.
            let _ = text.write_fmt(line);
        };
        for call in &world.calls {
            while let Some(e) = happened.next_if(|e| e.call < call.n) {
                add(format_args!("{:?}      {} {:?}\n", e.at, e.name, e.what));
            }
            add(format_args!("{:?} #{:<3} {} {}\n", call.at, call.n, call.verb, call.subject));
        }
        for e in happened {
            add(format_args!("{:?}      {} {:?}\n", e.at, e.name, e.what));
        }
        text
    }
}
