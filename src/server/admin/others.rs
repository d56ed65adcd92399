//! The other objects of a server: asking them how many there are, and having them tell
//! those who watch what happens.
//!
//! Only objects with sockets are asked. Each believes for a while that somebody watches,
//! and forgets it by itself, also when it sleeps.

use core::time::Duration;
use std::rc::Rc;

use dormouse_proto::millis;
use serde::{Deserialize, Serialize};

use super::stats::Stats;
use super::watch::{self, Watch, is_anybody_here};
use super::{Admin, FOR_EACH_ANSWER, LIST_EVERY, OTHERS_EVERY};
use crate::api::{Io, Server, SpawnError};
use crate::placement::DYNAMIC;
use crate::platform;

/// The event from object to object.
const EVENT: &str = "dormouse:admin";

/// The name of the task.
const TASK: &str = "dormouse admin: others";

/// What an object answers.
#[derive(Serialize, Deserialize)]
struct Answer {
    stats: Stats,
    /// It has not told those who watch of what has happened before.
    is_new: bool,
}

/// What all other objects have answered.
struct Answers {
    stats: Vec<Stats>,
    has_new: bool,
    /// How many calls it took, about.
    calls: u32,
}

/// Registers the handler of questions.
pub(super) fn register(admin: Rc<Admin>, server: Server) -> Server {
    server.on_server_event(EVENT, move |io: Io, (millis,): (u64,)| {
        let is_new = watch::lease(&io, &admin, Duration::from_millis(millis));
        let watch = io.memory::<Watch>().unwrap_or_default();
        let stats = Stats::of(&io, &watch.counts, platform::now());
        Answer { stats, is_new }
    })
}

/// Begins to ask the other objects, if there are any.
pub(super) fn begin(io: &Io, admin: &Rc<Admin>) -> Result<(), SpawnError> {
    if io.local_port().is_some_and(|port| port.is_one_of_many()) {
        let admin = admin.clone();
        io.spawn(TASK, async move |io: Io| run(io, &admin).await)?;
    }
    Ok(())
}

/// Asks for as long as somebody who watches is in this object.
async fn run(io: Io, admin: &Admin) {
    let Some(watch) = io.memory::<Watch>() else {
        return;
    };
    let (mut every, mut next) = (OTHERS_EVERY, platform::now());
    let mut listed = platform::now();
    let mut known: Vec<Stats> = Vec::new();
    while is_anybody_here(&io).await {
        if platform::now() >= next {
            let answers = ask(&io, every * 2 + OTHERS_EVERY).await;
            let now = platform::now();
            every = OTHERS_EVERY.max(FOR_EACH_ANSWER * answers.calls);
            next = now + every;
            known = answers.stats;
            for stats in &known {
                io.emit("server_stats", stats).await.ok();
            }
            for stats in &mut known {
                stats.aggregated_events.clear();
            }
            if admin.development && (answers.has_new || now >= listed + LIST_EVERY) {
                listed = now;
                watch.list_again();
            }
        } else {
            // Or the UI would take them for broken.
            for stats in &known {
                io.all().local().emit("server_stats", stats).await.ok();
            }
        }
        watch.left.wait(OTHERS_EVERY).await;
    }
}

/// Asks all other objects that have sockets.
async fn ask(io: &Io, lease: Duration) -> Answers {
    let lease = millis(lease);
    let application = io.application();
    let dynamic = application.has_dynamic().then_some(DYNAMIC);
    let mut answers = Answers {
        stats: Vec::new(),
        has_new: false,
        calls: 0,
    };
    for namespace in application.names().chain(dynamic) {
        answers.calls += 1;
        let asked = io.of(namespace);
        let asked = asked.server_side_emit_with_ack::<(Answer,)>(EVENT, lease);
        // Who is missing is asked again.
        for (answer,) in asked
            .await
            .map(|acks| acks.into_values())
            .unwrap_or_default()
        {
            answers.add(answer);
        }
    }
    answers
}

impl Answers {
    /// Adds an answer. An object with sockets in several namespaces has several.
    fn add(&mut self, answer: Answer) {
        self.calls += 1;
        self.has_new |= answer.is_new;
        let mut known = self.stats.iter_mut();
        match known.find(|known| known.server_id == answer.stats.server_id) {
            Some(known) => {
                let events = answer.stats.aggregated_events;
                known.aggregated_events.extend(events);
            }
            None => self.stats.push(answer.stats),
        }
    }
}
