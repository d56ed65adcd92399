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
pub(super) use self::step::{Conns, Step, apply, outputs, read_settings, read_step};
use super::bytes::Bytes;
use super::trace;

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
    trace(&(settings, open));
    let mut model = Model::new(settings, open, flags & 4 != 0);
    let (mut awake, mut asleep) = (begin(), begin());
    model.check_opened(outputs(&mut awake));
    outputs(&mut asleep);

    let mut now = BEGIN;
    let mut saved = awake.snapshot();
    awake.take_changed();
    while !bytes.is_empty() {
        let step = read_step(&mut bytes, &mut now, &model.conns());
        trace(&(now, &step));
        let mut effects = apply(&mut awake, &step, now);
        let same = apply(&mut asleep, &step, now);
        assert_eq!(effects, same, "sleep changes nothing: {step:?}");
        if let Step::Evict = step {
            awake = evict(&awake.snapshot(), settings, &model);
            effects.outputs = outputs(&mut awake);
            asleep = evict(&asleep.snapshot(), settings, &model);
            outputs(&mut asleep);
        }
        trace(&effects);
        model.handle(&step, now, effects);
        model.compare(&awake);

        let snapshot = awake.snapshot();
        assert_eq!(snapshot, asleep.snapshot(), "sleep loses nothing: {step:?}");
        asleep = sleep(&snapshot, settings);
        assert_eq!(asleep.next_deadline(), awake.next_deadline());
        check_deadline(sleep(&snapshot, settings), now);
        if awake.take_changed() {
            saved = snapshot;
        } else if snapshot != saved {
            let left = [&saved, &snapshot].map(|it| evict(it, settings, &model));
            check_saved(left, model.conns().socket);
        }
    }
}

fn sleep(snapshot: &[u8], settings: Settings) -> Session {
    Session::restore(snapshot, settings, |_| true).expect("a snapshot")
}

/// The object was evicted: WebSockets outlive that, requests do not.
fn evict(snapshot: &[u8], settings: Settings, model: &Model) -> Session {
    let is_there = |conn| model.is_socket(conn);
    Session::restore(snapshot, settings, is_there).expect("a snapshot")
}

/// A session that said it need not be saved again has lost nothing its client
/// could miss.
fn check_saved(mut sessions: [Session; 2], socket: Option<ConnId>) {
    let [saved, latest] = sessions.each_mut().map(|session| {
        let knows = socket.map(|socket| session.has_socket(socket));
        let place = (session.transport(), session.socket(), knows);
        // Long ago nobody was silent for too long.
        let step = Step::Poll(ConnId(u64::MAX), Format::Any);
        (place, apply(session, &step, 0))
    });
    assert_eq!(saved, latest, "what was saved is all there is");
}

/// Whoever wakes up when he is asked to is not asked for the same moment again.
fn check_deadline(mut session: Session, now: u64) {
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
