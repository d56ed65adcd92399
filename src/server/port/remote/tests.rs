use core::time::Duration;

use dormouse_proto::engine::{Data, Transport};
use dormouse_proto::socket::{Args, Filter, JoinId};
use js_sys::Uint8Array;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::in_browser::platform::ID;
use crate::in_browser::{js, js_async};
use crate::placement::Placement;
use crate::port::{Look, Operation, Selection, Spot};

/// The objects of a Worker, which all give the same answer. Ids that begin with a `0`
/// are those that the platform has given out.
const OBJECTS: &str = "
    const asked = [];
    const get = (id) => ({ dormouseCall: async (path, request) => {
        asked.push([id, path, request]);
        return x;
    } });
    const objects = {
        get,
        idFromName: (name) => 'name ' + name,
        idFromString(id) {
            if (!id.startsWith('0')) throw new TypeError('not ours');
            return 'id ' + id;
        },
    };
    return { DORMOUSE: objects, asked };";

fn env(answer: &JsValue) -> Env {
    js(OBJECTS, answer).unchecked_into()
}

fn bytes(answer: &[u8]) -> Env {
    env(&Uint8Array::from(answer))
}

fn answering(reply: Result<Reply, PortError>) -> Env {
    bytes(&port::encode_reply(reply))
}

fn port(placement: Placement, env: &Env) -> RemotePort {
    let options = Options {
        placement,
        ..Options::default()
    };
    RemotePort::new(Rc::new(options), "DORMOUSE", env)
}

/// Which objects were asked, one after the other.
fn asked(env: &Env) -> String {
    let asked = js("return x.asked.map(([id]) => id).join('; ');", env);
    asked.as_string().unwrap()
}

/// Sockets in these rooms.
fn in_rooms(rooms: &[&str]) -> Target {
    let rooms = rooms.iter().copied().map(str::to_owned).collect();
    let except = Vec::new();
    Target::Sockets(Selection {
        namespace: "/".to_owned(),
        filter: Filter { rooms, except },
        local: false,
    })
}

fn spot() -> Spot {
    Spot::new([1; 12], JoinId(0))
}

fn sid() -> Sid {
    Sid::new(ID, [1; 12]).unwrap()
}

/// One in an object that the platform has not given out.
fn unknown_sid() -> Sid {
    Sid::new(&"f".repeat(64), [1; 12]).unwrap()
}

/// Which object is asked for sockets, if it is known.
async fn check_object(port: RemotePort, target: Target, expect: Option<&str>) {
    let request = Request::Operate(target, Operation::Fetch(None));
    let what = format!("{request:?}");
    let reply = port.call(request).reply().await;
    let asked = asked(port.env());
    match expect {
        Some(expect) => {
            assert!(matches!(reply, Ok(Reply::Done)), "{what}: {reply:?}");
            assert_eq!(asked, expect, "{what}");
        }
        None => {
            assert!(
                matches!(reply, Err(PortError::Placement)),
                "{what}: {reply:?}"
            );
            assert_eq!(asked, "", "{what}");
        }
    }
}

#[wasm_bindgen_test]
async fn the_placement_tells_where_sockets_are() {
    let made = |placement: Placement| port(placement, &answering(Ok(Reply::Done)));
    let by_key = || Placement::key(|_| String::new());
    let all = || in_rooms(&[]);
    let only = Some("name /engine.io/ * 0");
    check_object(made(Placement::Shards(1)), all(), only).await;
    check_object(made(Placement::Shards(2)), all(), None).await;
    check_object(made(Placement::PerSession), all(), None).await;
    check_object(made(by_key()), all(), None).await;
    let named = made(by_key()).with_key("room 1");
    check_object(named, all(), Some("name /engine.io/ * room 1")).await;
    // The object of that name, whichever room is meant.
    let named = made(by_key()).with_key("room 1");
    let target = in_rooms(&[&sid().to_string()]);
    check_object(named, target, Some("name /engine.io/ * room 1")).await;
    // There is one object for all, whatever the key.
    let only_one = made(Placement::Shards(1)).with_key("room 1");
    check_object(only_one, all(), only).await;
    // The hub of the rooms that leads, in many objects that are one server.
    let many = || made(Placement::spread(4).into());
    check_object(many(), all(), Some("name /engine.io/ h / 1")).await;
    check_object(
        many(),
        in_rooms(&["a", "b"]),
        Some("name /engine.io/ h / 2"),
    )
    .await;
    // None of them is the one that is meant by `local`.
    let Target::Sockets(selection) = all() else {
        unreachable!("sockets of a namespace");
    };
    let local = Target::Sockets(Selection {
        local: true,
        ..selection
    });
    check_object(many(), local, None).await;
}

#[wasm_bindgen_test]
async fn a_socket_id_tells_where_its_socket_is() {
    let made = || port(Placement::PerSession, &answering(Ok(Reply::Done)));
    let sid = &*sid().to_string();
    let object = format!("id {ID}");
    check_object(made(), in_rooms(&[sid]), Some(&object)).await;
    check_object(made(), in_rooms(&["room"]), None).await;
    check_object(made(), in_rooms(&[sid, sid]), None).await;
    check_object(made(), Target::Socket(spot()), None).await;
}

fn emit() -> Operation {
    Operation::Emit {
        args: Args::new("[\"e\"]", Vec::new()),
        volatile: false,
    }
}

fn emit_with_ack() -> Operation {
    Operation::EmitWithAck {
        args: Args::new("[\"e\"]", Vec::new()),
        timeout: Duration::from_secs(1).as_millis() as u64,
    }
}

#[wasm_bindgen_test]
async fn where_nobody_can_be_nobody_is_asked() {
    let target = || in_rooms(&[&unknown_sid().to_string()]);
    for (operation, expect) in [
        (emit(), Reply::Done),
        (emit_with_ack(), Reply::Acks(Vec::new())),
        (Operation::Fetch(None), Reply::Sockets(Vec::new())),
        (Operation::Join(Vec::new()), Reply::Done),
        (Operation::Leave(Vec::new()), Reply::Done),
        (Operation::Disconnect { close: true }, Reply::Done),
    ] {
        let env = answering(Err(PortError::Gone));
        let port = port(Placement::PerSession, &env);
        let what = format!("{operation:?}");
        let reply = port.call(Request::Operate(target(), operation)).now();
        assert_eq!(format!("{reply:?}"), format!("Ok({expect:?})"), "{what}");
        assert_eq!(asked(&env), "");
    }
}

#[wasm_bindgen_test]
async fn a_session_that_cannot_be_is_gone() {
    let env = answering(Ok(Reply::Done));
    let port = port(Placement::default(), &env);
    for (request, is_gone) in [
        (Request::Send([1; 12], Data::from("a")), true),
        (Request::Close([1; 12]), true),
        (Request::Transport([1; 12]), true),
        (Request::UserSession([1; 12]), true),
        (Request::Look(spot(), Look::Rooms), true),
        (Request::CloseAll, false),
    ] {
        let reply = port.call_for(&unknown_sid(), &request).await;
        match reply {
            Err(PortError::Gone) => assert!(is_gone, "{request:?}"),
            Ok(Reply::Done) => assert!(!is_gone, "{request:?}"),
            other => panic!("{request:?}: {other:?}"),
        }
    }
    assert_eq!(asked(&env), "");
}

#[wasm_bindgen_test]
async fn a_request_arrives_as_it_was_sent() {
    let env = answering(Ok(Reply::Transport(Transport::WebSocket)));
    let port = port(Placement::default(), &env);
    let request = Request::Send([1; 12], Data::from("é"));
    let reply = port.call_for(&sid(), &request).await;
    assert!(matches!(reply, Ok(Reply::Transport(Transport::WebSocket))));
    let path = js("return x.asked[0][1];", &env);
    assert_eq!(path.as_string().as_deref(), Some("/engine.io/"));
    let sent = js("return x.asked[0][2];", &env);
    let (_, read) = port::decode_request(&Uint8Array::new(&sent).to_vec()).unwrap();
    assert_eq!(format!("{read:?}"), format!("{request:?}"));
    port.call_named("one", &request).await.unwrap();
    assert_eq!(asked(&env), format!("id {ID}; name one"));
}

#[wasm_bindgen_test]
async fn what_means_nothing_elsewhere_is_not_sent() {
    let env = answering(Ok(Reply::Done));
    let port = port(Placement::Shards(1), &env);
    let look = Request::Look(spot(), Look::Rooms);
    let reply = port.call_for(&sid(), &look).await;
    assert!(matches!(reply, Err(PortError::Answer)));
    // What is for a session says so.
    let reply = port.call(Request::Close([1; 12])).now();
    assert!(matches!(reply, Err(PortError::Placement)));
    assert_eq!(asked(&env), "");
}

/// What comes of an answer, or of none.
async fn check_answer(env: Env, expect: &str) {
    let reply = port(Placement::default(), &env)
        .call_for(&sid(), &Request::CloseAll)
        .await;
    let found = match &reply {
        Ok(reply) => format!("{reply:?}"),
        Err(error) => error.to_string(),
    };
    assert!(found.starts_with(expect), "{found}");
}

#[wasm_bindgen_test]
async fn an_answer_is_what_the_object_says() {
    check_answer(answering(Ok(Reply::Done)), "Done").await;
    let gone = answering(Err(PortError::Gone));
    check_answer(gone, "there is no such session or socket").await;
    let rooms = answering(Err(PortError::TooManyRooms));
    check_answer(rooms, "these are more rooms than allowed").await;
    let unreadable = "the object's answer cannot be read";
    check_answer(bytes(&[]), unreadable).await;
    check_answer(bytes(&[0xff; 9]), unreadable).await;
    check_answer(env(&JsValue::UNDEFINED), unreadable).await;
    let unreached = "the object could not be reached: ";
    let nothing = js("return {};", JsValue::UNDEFINED).unchecked_into();
    let unbound = format!("{unreached}dormouse: wrangler.toml has no Durable Object binding");
    check_answer(nothing, &unbound).await;
    let throwing = "x.DORMOUSE.get = () => ({ dormouseCall() { throw new Error('overloaded'); } });
        return x;";
    let throwing = js_async(throwing, answering(Ok(Reply::Done))).await;
    check_answer(throwing.unchecked_into(), unreached).await;
}
