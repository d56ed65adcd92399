//! Whatever can happen to a session of Engine.IO, in any order, beside a model of
//! what has to come of it.
//!
//! A second session lives through the same, but sleeps between any two steps.

mod expect;
mod model;
mod step;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{ConnId, Format, Open, Output, Revision, Session, Settings};

use self::model::Model;
pub(super) use self::step::{Conns, Effects, Step, apply, outputs, read_settings, read_step};
use super::bytes::Bytes;

/// When a session begins: late enough for a clock to go back.
pub(super) const BEGIN: u64 = 1_000_000_000;

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let settings = read_settings(&mut bytes);
    let flags = bytes.byte();
    let open = Open {
        sid: "sid",
        revision: [Revision::V3, Revision::V4][usize::from(flags & 1)],
        b64: flags & 2 != 0,
    };
    let begin = || {
        let now = Timestamp::from_millis(BEGIN);
        match flags & 4 {
            0 => Session::open_polling(now, settings, open, ConnId(0), Format::Any),
            _ => Session::open_websocket(now, settings, open, ConnId(0)),
        }
    };
    let mut model = Model::new(settings, open, flags & 4 != 0);
    let (mut awake, mut asleep) = (begin(), begin());
    model.check_opened(outputs(&mut awake));
    outputs(&mut asleep);

    let mut now = BEGIN;
    while !bytes.is_empty() {
        let step = read_step(&mut bytes, &mut now, &model.conns());
        let mut effects = apply(&mut awake, &step, now);
        asleep = sleep(&asleep, settings);
        assert_eq!(
            effects,
            apply(&mut asleep, &step, now),
            "sleep changes nothing: {step:?}"
        );
        if let Step::Evict = step {
            // What no WebSocket carries is gone, and neither of them has heard of it.
            awake = evict(&awake, settings, &model, &mut effects);
            asleep = evict(&asleep, settings, &model, &mut Effects::default());
        }
        model.handle(&step, now, effects);
        model.compare(&awake);
        check_deadline(&awake, settings, now);
        assert_eq!(
            awake.snapshot(),
            asleep.snapshot(),
            "sleep loses nothing: {step:?}"
        );
    }
}

fn sleep(session: &Session, settings: Settings) -> Session {
    let snapshot = session.snapshot();
    let restored = Session::restore(&snapshot, settings, |_| true).expect("a snapshot");
    assert_eq!(restored.snapshot(), snapshot);
    assert_eq!(restored.next_deadline(), session.next_deadline());
    restored
}

/// The object was evicted: WebSockets outlive that, requests do not.
fn evict(session: &Session, settings: Settings, model: &Model, effects: &mut Effects) -> Session {
    let is_there = |conn| model.is_socket(conn);
    let mut left = Session::restore(&session.snapshot(), settings, is_there).expect("a snapshot");
    effects.outputs.extend(outputs(&mut left));
    left
}

/// Whoever wakes up when he is asked to is not asked for the same moment again.
fn check_deadline(session: &Session, settings: Settings, now: u64) {
    let mut session = sleep(session, settings);
    let Some(deadline) = session.next_deadline() else {
        return;
    };
    let now = Timestamp::from_millis(now).max(deadline.at);
    session.handle_timeout(now);
    let told: Vec<Output> = outputs(&mut session);
    let next = session.next_deadline();
    assert!(
        next.is_none_or(|next| next.at > now),
        "{deadline:?} was due at {now:?}; {told:?}, and {next:?} is due again"
    );
}
