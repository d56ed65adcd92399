use core::cell::RefCell;

use dormouse_proto::engine::Format;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::layer::FakeLayer;
use crate::in_browser::object::{FakeObject, SERVER, key, object, object_on};
use crate::in_browser::platform::{self, done, take_statements};
use crate::in_browser::time::Time;
use crate::options::Options;
use crate::parts::{Kind, SAVE_AFTER};
use crate::platform::now;

/// An object, and the layer of its sessions.
struct Rig {
    object: Rc<FakeObject>,
    layer: FakeLayer,
}

impl Rig {
    fn new() -> Self {
        Self {
            object: object(Options::default()),
            layer: FakeLayer::default(),
        }
    }

    /// The next instance.
    fn next(&self) -> Self {
        Self {
            object: object_on(&self.object.parts.state, Options::default()),
            layer: FakeLayer::default(),
        }
    }

    fn persistence(&self) -> Persistence<'_> {
        Persistence {
            parts: &self.object.parts,
            layer: &self.layer,
        }
    }

    /// Adds a session on a WebSocket that the object has accepted.
    fn add_on_socket(&self, number: u8) -> WebSocket {
        let socket = self.object.add_on_socket(number, Phase::Open);
        let websockets = &self.object.parts.websockets;
        let revision = self.object.with(number, |entry| entry.session.revision());
        websockets.accept(&socket, key(number), revision).unwrap();
        socket
    }

    /// Adds one that polls and is in a row.
    fn add_in_row(&self, number: u8) {
        self.object.add_polling(number, Phase::Open);
        self.save(number);
        self.persistence().save_all();
    }

    /// Has the layer keep other content of a session, and saves that.
    fn keep(&self, number: u8, content: Vec<u8>) {
        self.layer.content.replace(content);
        self.layer.changed.set(true);
        self.save(number);
    }

    fn save(&self, number: u8) {
        self.persistence().save(key(number));
    }

    fn stored(&self, number: u8) -> Stored {
        self.object.with(number, |entry| entry.stored)
    }

    fn statements(&self) -> String {
        take_statements(&self.object.parts.state)
    }

    /// Looks for a session that is asleep, and restores it.
    fn restore(&self, number: u8) -> bool {
        let found = find(&self.object.parts, key(number), |_| {});
        found.is_some_and(|found| self.persistence().revive(key(number), found))
    }

    fn snapshot(&self, number: u8) -> Vec<u8> {
        self.object.with(number, |entry| entry.session.snapshot())
    }
}

/// The session in an attachment.
fn carried(bytes: &[u8]) -> Carried<'_> {
    Attachment::read(bytes).unwrap().carried.unwrap()
}

/// What is saved a moment later has a timer until then.
fn is_saved_soon(time: &Time) -> bool {
    time.timers() == [SAVE_AFTER]
}

#[wasm_bindgen_test]
fn an_attachment_holds_a_session_up_to_a_limit() {
    let time = Time::stop();
    let rig = Rig::new();
    let socket = rig.add_on_socket(1);
    let length = || socket.attachment().unwrap().len();
    rig.keep(1, vec![7; 10_000]);
    let room = ATTACHMENT - length();
    rig.keep(1, vec![7; 10_000 + room]);
    assert_eq!(length(), ATTACHMENT);
    assert!(!rig.stored(1).is_outdated);
    assert!(time.timers().is_empty());
    assert_eq!(rig.statements(), "", "it costs nothing");
    rig.keep(1, vec![7; 10_000 + room + 1]);
    assert!(rig.stored(1).is_outdated);
    assert!(is_saved_soon(&time));
    assert_eq!(length(), ATTACHMENT, "as it was");
}

#[wasm_bindgen_test]
fn what_is_too_large_is_in_a_row() {
    let _time = Time::stop();
    let rig = Rig::new();
    let socket = rig.add_on_socket(1);
    rig.keep(1, vec![7; 20_000]);
    rig.persistence().save_all();
    assert_eq!(rig.statements(), "CREATE,INSERT,DELETE");
    let stored = rig.stored(1);
    assert_eq!((stored.row, stored.is_outdated), (Row::Content, false));
    let bytes = socket.attachment().unwrap();
    assert!(matches!(carried(&bytes).content, Held::Row));
    // What changes of the session alone is written on the WebSocket.
    rig.object.with(1, |entry| {
        entry.session.handle_timeout(now() + 40 * SAVE_AFTER)
    });
    rig.save(1);
    assert_eq!(rig.statements(), "");
    let bytes = socket.attachment().unwrap();
    assert_eq!(carried(&bytes).session, rig.snapshot(1));
}

#[wasm_bindgen_test]
fn a_row_is_dropped_when_everything_fits_again() {
    let _time = Time::stop();
    let rig = Rig::new();
    let socket = rig.add_on_socket(1);
    rig.keep(1, vec![7; 20_000]);
    rig.persistence().save_all();
    rig.statements();
    rig.keep(1, b"small".to_vec());
    assert_eq!(rig.statements(), "DELETE");
    assert_eq!(rig.stored(1).row, Row::None);
    let bytes = socket.attachment().unwrap();
    assert!(matches!(carried(&bytes).content, Held::Here(b"small")));
}

#[wasm_bindgen_test]
fn a_session_that_polls_is_saved_a_moment_later() {
    let time = Time::stop();
    let rig = Rig::new();
    rig.object.add_polling(1, Phase::Open);
    rig.save(1);
    assert_eq!(rig.statements(), "");
    assert!(is_saved_soon(&time));
    rig.persistence().save_all();
    assert_eq!(rig.statements(), "CREATE,INSERT,DELETE");
    assert_eq!(rig.stored(1).row, Row::Session);
    rig.persistence().save_all();
    rig.save(1);
    assert_eq!(rig.statements(), "", "nothing has changed");
    rig.keep(1, b"other".to_vec());
    assert_eq!(rig.statements(), "DELETE", "it is no longer true");
}

#[wasm_bindgen_test]
fn a_client_that_has_used_up_its_rows_waits_for_more() {
    let time = Time::stop();
    let rig = Rig::new();
    rig.add_in_row(1);
    for _ in 0..28 {
        rig.object.parts.charge_row(key(1));
    }
    time.advance(SAVE_AFTER);
    rig.statements();
    rig.keep(1, b"changed".to_vec());
    assert_eq!(rig.statements(), "DELETE", "it is not true any more");
    assert_eq!(time.timers(), [SAVE_AFTER], "that was the last but none");
    time.advance(SAVE_AFTER / 5);
    rig.persistence().save_all();
    assert_eq!(rig.statements(), "");
    assert!(rig.stored(1).is_outdated);
    assert_eq!(time.timers().len(), 1, "it is looked at again");
    time.advance(2 * SAVE_AFTER);
    rig.persistence().save_all();
    assert_eq!(rig.statements(), "INSERT,DELETE");
    assert!(!rig.stored(1).is_outdated);
}

#[wasm_bindgen_test]
fn a_session_that_is_being_polled_for_needs_no_row() {
    let rig = Rig::new();
    rig.object.add_polling(1, Phase::Open);
    let (poll, _) = rig.object.hold(Kind::Poll);
    let wait = |entry: &mut SessionEntry| entry.session.handle_poll(now(), poll, Format::default());
    rig.object.with(1, wait);
    rig.save(1);
    rig.persistence().save_all();
    assert_eq!(rig.statements(), "");
    assert!(rig.stored(1).is_outdated);
}

#[wasm_bindgen_test]
fn a_session_is_not_saved_before_it_is_wanted() {
    let rig = Rig::new();
    rig.object.add_polling(1, Phase::Opening);
    let socket = rig.object.add_on_socket(2, Phase::Opening);
    rig.save(1);
    rig.save(2);
    rig.persistence().save_all();
    assert_eq!(rig.statements(), "");
    assert_eq!(socket.attachment(), None);
}

#[wasm_bindgen_test]
fn nothing_is_left_of_a_session_that_is_over() {
    let rig = Rig::new();
    rig.add_in_row(1);
    rig.statements();
    rig.object.with(1, |entry| {
        entry.session.handle_timeout(now() + 1_000 * SAVE_AFTER);
        while entry.session.poll_output().is_some() {}
        assert!(entry.is_over());
    });
    rig.save(1);
    assert_eq!(rig.statements(), "DELETE");
    assert!(!rig.stored(1).is_outdated);
    assert!(!rig.next().restore(1));
}

#[wasm_bindgen_test]
fn a_session_comes_back_as_it_was() {
    let _time = Time::stop();
    let rig = Rig::new();
    rig.add_on_socket(1);
    rig.save(1);
    rig.add_on_socket(2);
    rig.keep(2, vec![b'7'; 20_000]);
    rig.persistence().save_all();
    rig.layer.content.replace(b"content".to_vec());
    rig.add_in_row(3);
    let large = "7".repeat(20_000);
    for (number, content, row) in [
        (1, "content", Row::None),
        (2, &*large, Row::Content),
        (3, "content", Row::Session),
    ] {
        let next = rig.next();
        assert!(next.restore(number));
        assert_eq!(next.snapshot(number), rig.snapshot(number));
        let heard = format!("restore {number} Some({content:?})");
        assert_eq!(next.layer.take_heard(), heard);
        let stored = next.stored(number);
        assert_eq!((stored.row, stored.is_outdated), (row, false), "{number}");
        let conn = ConnId(number.into());
        let whose = next.object.parts.sessions.of_conn(conn);
        assert_eq!(whose, (number < 3).then_some(key(number)));
    }
    assert!(!rig.next().restore(4), "nobody has heard of it");
}

#[wasm_bindgen_test]
fn all_sessions_come_back_once() {
    let _time = Time::stop();
    let rig = Rig::new();
    rig.add_on_socket(1);
    rig.save(1);
    rig.add_on_socket(2);
    rig.keep(2, vec![b'7'; 20_000]);
    rig.persistence().save_all();
    rig.add_in_row(3);
    let next = rig.next();
    assert!(next.restore(3));
    let found = RefCell::new(Vec::new());
    let adopted = RefCell::new(Vec::new());
    let adopt = |server| {
        let server = match server {
            Server::Number(number) => number.to_string(),
            Server::Path(path) => path,
        };
        adopted.borrow_mut().push(server);
    };
    find_all(&next.object.parts, adopt, |key, asleep| {
        assert!(next.persistence().revive(key, asleep));
        found.borrow_mut().push(key[0]);
    });
    assert_eq!(*found.borrow(), [1, 2], "one is there already");
    let number = SERVER.to_string();
    assert_eq!(*adopted.borrow(), [&*number, &*number, "/engine.io/"]);
}

#[wasm_bindgen_test]
fn what_websockets_carry_is_looked_at_without_restoring_it() {
    let _time = Time::stop();
    let rig = Rig::new();
    for number in [2, 1] {
        rig.add_on_socket(number);
        rig.keep(number, vec![number]);
    }
    let next = rig.next();
    let parts = &next.object.parts;
    let seen = RefCell::<Vec<(u8, Vec<u8>)>>::default();
    let see = |is_enough: bool| {
        survey(
            parts,
            |_| {},
            |key: Key, content: &[u8]| {
                seen.borrow_mut().push((key[0], content.to_vec()));
                is_enough
            },
        )
    };
    assert!(see(true));
    assert_eq!(seen.take(), [(2, vec![2]), (1, vec![1])]);
    assert!(parts.sessions.is_empty());
    assert!(next.restore(1), "as it came");
    assert!(see(true));
    assert_eq!(seen.take(), [(2, vec![2])], "one is in memory");
    assert!(!see(false), "somebody has to restore it");
    next.object.parts.websockets.remember(Vec::new());
    assert!(next.restore(2), "whoever has looked");
}

#[wasm_bindgen_test]
fn what_is_in_a_row_is_not_looked_at() {
    let _time = Time::stop();
    let rig = Rig::new();
    rig.add_on_socket(1);
    rig.keep(1, vec![7; 20_000]);
    rig.persistence().save_all();
    let next = rig.next();
    assert!(!survey(&next.object.parts, |_| {}, |_, _| true));
}

/// Whether a session is restored after `damage`, and what is left of it.
fn check_damage(damage: impl FnOnce(&Rig, &WebSocket), closed: bool) {
    let _time = Time::stop();
    let rig = Rig::new();
    let socket = rig.add_on_socket(1);
    rig.keep(1, vec![7; 20_000]);
    rig.persistence().save_all();
    damage(&rig, &socket);
    let next = rig.next();
    next.layer.restores.set(false);
    assert!(!next.restore(1));
    assert!(!next.object.parts.sessions.contains(key(1)));
    let done = done(&socket);
    assert_eq!(done, if closed { "close 1011" } else { "" });
    assert!(
        next.object.parts.rows.get(key(1)).is_none(),
        "its row is left"
    );
}

#[wasm_bindgen_test]
fn a_session_that_its_layer_cannot_restore_is_ended() {
    check_damage(|_, _| {}, true);
}

#[wasm_bindgen_test]
fn a_session_whose_snapshot_is_damaged_is_ended() {
    let damage = |rig: &Rig, socket: &WebSocket| {
        let carried = Carried {
            session: &[0xff; 9],
            content: Held::Row,
        };
        let bytes = attachment(&rig.object.parts, key(1), ConnId(1), Some(carried));
        socket.set_attachment(&bytes).unwrap();
    };
    check_damage(damage, true);
}

#[wasm_bindgen_test]
fn a_row_that_cannot_be_read_is_deleted() {
    let rows: [fn(Vec<u8>) -> Vec<u8>; 3] = [
        |bytes| bytes[..9].to_vec(),
        |bytes| vec![0xff; bytes.len()],
        |mut bytes| {
            bytes[0] += 1;
            bytes
        },
    ];
    for damage in rows {
        // Where the row is all there is.
        let rig = Rig::new();
        rig.add_in_row(1);
        let rows = &rig.object.parts.rows;
        rows.put(key(1), &damage(rows.get(key(1)).unwrap()));
        assert!(!rig.next().restore(1));
        assert_eq!(rows.keys(), [[0; 12]; 0], "alone");
        // Where a WebSocket says that there is one.
        let damage = |rig: &Rig, _: &WebSocket| {
            let rows = &rig.object.parts.rows;
            rows.put(key(1), &damage(rows.get(key(1)).unwrap()));
        };
        check_damage(damage, true);
    }
}

#[wasm_bindgen_test]
fn a_websocket_that_probes_does_not_carry_its_session() {
    let _time = Time::stop();
    let rig = Rig::new();
    rig.add_in_row(1);
    let (conn, socket) = (ConnId(7), platform::socket());
    let parts = &rig.object.parts;
    let revision = rig.object.with(1, |entry| entry.session.revision());
    parts.websockets.accept(&socket, key(1), revision).unwrap();
    let bytes = attachment(parts, key(1), conn, None);
    socket.set_attachment(&bytes).unwrap();
    let next = rig.next();
    assert!(next.restore(1));
    assert_eq!(next.object.parts.sessions.of_conn(conn), Some(key(1)));
}

#[wasm_bindgen_test]
fn what_was_handed_over_is_taken_over() {
    let _time = Time::stop();
    let rig = Rig::new();
    rig.add_on_socket(1);
    rig.object.add_polling(2, Phase::Open);
    rig.save(1);
    for (number, ended) in [
        (1, None),
        (2, Some(dormouse_proto::engine::Reason::PingTimeout)),
    ] {
        let next = rig.next();
        let handed_over = HandedOver {
            key: key(number),
            session: rig.snapshot(number),
            content: b"newer".to_vec(),
            ended,
        };
        next.persistence().inherit(&handed_over);
        let heard = format!("restore {number} Some(\"newer\")");
        assert_eq!(next.layer.take_heard(), heard);
        let phase = next.object.with(number, |entry| entry.phase);
        assert_eq!(phase, ended.map_or(Phase::Open, Phase::Ended));
        assert!(next.stored(number).is_outdated);
        assert_eq!(next.object.take_heard(), format!("finish {number}"));
    }
}
