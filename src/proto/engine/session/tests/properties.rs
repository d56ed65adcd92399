//! Random inputs, in any order, of a client that follows no rule.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use proptest::sample::Index;

use super::rig::{AWAKE, SLEEPY};
use super::watch::{Watch, check_deadline};
use crate::Timestamp;
use crate::engine::{
    Body, BodyError, ConnId, Data, Flush, Format, Frame, Open, Revision, Session, Settings,
};

#[derive(Clone, Debug)]
enum Step {
    Get(Format),
    GetGone(Index),
    Post,
    Body(Index, Frame<'static>),
    BodyTooLarge(Index),
    BodyMalformed(Index),
    BodyGone(Index),
    Upgrade,
    Frame(Index, Frame<'static>),
    SocketGone(Index, bool),
    Send(Data<'static>),
    Close(Flush),
    Wait(u64),
    Timeout,
    SignOfLife(u64),
    /// Falls asleep and wakes up with its connections, or without.
    Sleep(bool),
}

fn format() -> impl Strategy<Value = Format> {
    prop_oneof![
        Just(Format::Any),
        Just(Format::Text),
        Just(Format::Jsonp(crate::engine::jsonp::JsonpIndex::from_query(
            "1"
        ))),
    ]
}

/// Generates the content of a frame, or of a body of revision 4.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(vec![
            "2probe", "5", "4a", "2", "3", "1", "6", "", "x", "b4AQID", "bAQID", "4a\u{1e}4b",
            "4a\u{1e}3", "3:4ab1:2", "1:1", "2:4a",
        ])
        .prop_map(String::from),
        1 => any::<String>(),
        1 => (0..1_100_usize).prop_map(|length| "4".repeat(length)),
    ]
}

fn frame() -> impl Strategy<Value = Frame<'static>> {
    prop_oneof![
        6 => text().prop_map(Frame::from),
        1 => prop::collection::vec(any::<u8>(), 0..20).prop_map(Frame::from),
    ]
}

fn data() -> impl Strategy<Value = Data<'static>> {
    prop_oneof![
        (0..600_usize).prop_map(|length| Data::from("a".repeat(length))),
        (0..600_usize).prop_map(|length| Data::from(vec![0xff; length])),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<Index>;
    prop_oneof![
        4 => format().prop_map(Step::Get),
        1 => index().prop_map(Step::GetGone),
        3 => Just(Step::Post),
        3 => (index(), frame()).prop_map(|(index, body)| Step::Body(index, body)),
        1 => index().prop_map(Step::BodyTooLarge),
        1 => index().prop_map(Step::BodyMalformed),
        1 => index().prop_map(Step::BodyGone),
        2 => Just(Step::Upgrade),
        6 => (index(), frame()).prop_map(|(index, frame)| Step::Frame(index, frame)),
        1 => (index(), any::<bool>()).prop_map(|(index, broken)| Step::SocketGone(index, broken)),
        4 => data().prop_map(Step::Send),
        1 => Just(Step::Close(Flush::All)),
        1 => Just(Step::Close(Flush::Nothing)),
        3 => (0..400_u64).prop_map(Step::Wait),
        1 => (0..40_000_u64).prop_map(Step::Wait),
        3 => Just(Step::Timeout),
        1 => (0..40_000_u64).prop_map(Step::SignOfLife),
        1 => any::<bool>().prop_map(Step::Sleep),
    ]
}

/// A session and everything that has ever been connected to it.
struct Driver {
    session: Session,
    settings: Settings,
    watch: Watch,
    now: Timestamp,
    requests: Vec<ConnId>,
    sockets: Vec<ConnId>,
    next: u64,
}

impl Driver {
    fn new(revision: Revision, settings: Settings, websocket: bool, b64: bool) -> Self {
        let open = Open {
            sid: "sid",
            revision,
            b64,
        };
        let now = Timestamp::from_millis(1_000_000);
        let mut watch = Watch::default();
        let conn = ConnId(1);
        let session = if websocket {
            watch.handle_socket(conn);
            Session::open_websocket(now, settings, open, conn)
        } else {
            watch.handle_request(conn);
            Session::open_polling(now, settings, open, conn, Format::Any)
        };
        let mut driver = Self {
            session,
            settings,
            watch,
            now,
            requests: vec![conn],
            sockets: vec![conn],
            next: 2,
        };
        driver.settle();
        driver
    }

    fn new_request(&mut self) -> ConnId {
        let request = ConnId(self.next);
        self.next += 1;
        self.requests.push(request);
        self.watch.handle_request(request);
        request
    }

    fn handle(&mut self, step: &Step) {
        match step {
            Step::Get(format) => {
                let request = self.new_request();
                self.session.handle_poll(self.now, request, *format);
            }
            Step::GetGone(index) => self.session.handle_poll_gone(*index.get(&self.requests)),
            Step::Post => {
                let request = self.new_request();
                let _ = self.session.handle_post(self.now, request);
            }
            Step::Body(index, body) => {
                let request = self.request(index);
                let body: &Body<'_> = body;
                let _ = self.session.handle_body(self.now, request, Ok(body));
            }
            Step::BodyTooLarge(index) => self.no_body(index, BodyError::TooLarge),
            Step::BodyMalformed(index) => self.no_body(index, BodyError::Malformed),
            Step::BodyGone(index) => self.no_body(index, BodyError::Gone),
            Step::Upgrade => {
                let socket = ConnId(self.next);
                self.next += 1;
                if self.session.handle_upgrade(self.now, socket).is_ok() {
                    self.sockets.push(socket);
                    self.watch.handle_socket(socket);
                }
            }
            Step::Frame(index, frame) => {
                let socket = *index.get(&self.sockets);
                let _ = self
                    .session
                    .handle_frame(self.now, socket, frame.borrowed());
            }
            Step::SocketGone(index, broken) => {
                let socket = *index.get(&self.sockets);
                self.watch.handle_socket_gone(socket);
                self.session.handle_socket_gone(socket, *broken);
            }
            Step::Send(data) => drop(self.session.send(self.now, data.borrowed())),
            Step::Close(flush) => self.session.close(self.now, *flush),
            Step::Wait(millis) => self.now = self.now + Duration::from_millis(*millis),
            Step::Timeout => self.session.handle_timeout(self.now),
            Step::SignOfLife(ago) => {
                let at = self.now - Duration::from_millis(*ago);
                self.session.handle_sign_of_life(at);
            }
            Step::Sleep(is_there) => {
                let snapshot = self.session.snapshot();
                let restored = Session::restore(&snapshot, self.settings, |_| *is_there);
                self.session = restored.expect("a snapshot");
                self.watch.handle_eviction(|_| *is_there);
            }
        }
        self.settle();
    }

    /// The `POST` on its way more often than any other request.
    fn no_body(&mut self, index: &Index, error: BodyError) {
        let request = self.request(index);
        let messages = self.session.handle_body(self.now, request, Err(error));
        assert!(messages.is_empty(), "{messages:?}");
    }

    fn request(&self, index: &Index) -> ConnId {
        let some = *index.get(&self.requests);
        match self.session.posts.front().copied() {
            Some(post) if index.index(4) > 0 => post,
            Some(_) | None => some,
        }
    }

    fn settle(&mut self) {
        while let Some(output) = self.session.poll_output() {
            self.watch.handle_output(&output);
        }
        self.watch.check(&self.session, self.settings);
    }
}

fn revision() -> impl Strategy<Value = Revision> {
    prop_oneof![Just(Revision::V3), Just(Revision::V4)]
}

proptest! {
    #[test]
    fn no_inputs_break_the_rules(
        revision in revision(),
        settings in prop_oneof![Just(SLEEPY), Just(AWAKE)],
        websocket in any::<bool>(),
        b64 in any::<bool>(),
        steps in prop::collection::vec(step(), 0..40),
    ) {
        let mut driver = Driver::new(revision, settings, websocket, b64);
        for step in &steps {
            driver.handle(step);
        }
    }

    #[test]
    fn deadlines_converge(
        revision in revision(),
        settings in prop_oneof![Just(SLEEPY), Just(AWAKE)],
        websocket in any::<bool>(),
        steps in prop::collection::vec(step(), 0..20),
    ) {
        let mut driver = Driver::new(revision, settings, websocket, false);
        for step in &steps {
            driver.handle(step);
        }
        // An upgrade, a ping, its answer, the farewell: nothing else is waited for.
        let mut now = driver.now;
        for _ in 0..4 {
            now = check_deadline(&mut driver.session, now);
        }
        prop_assert_eq!(driver.session.next_deadline(), None);
    }

    #[test]
    fn no_bytes_break_restoring(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = Session::restore(&bytes, SLEEPY, |_| true);
        let bytes = [&[1][..], &bytes].concat();
        let _ = Session::restore(&bytes, SLEEPY, |_| true);
    }
}
