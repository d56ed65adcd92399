//! One client: each rule, and every state × every input.

use alloc::string::ToString as _;
use alloc::vec;
use core::time::Duration;

use super::*;

fn handle<'a>(client: &mut Client, text: &'a str) -> Result<Option<Incoming<'a>>, Violation> {
    client.handle_message(Data::from(text))
}

fn texts(encoded: &Encoded) -> Vec<String> {
    wire(encoded)
        .into_iter()
        .map(|data| match data {
            Data::Text(text) => text.to_string(),
            Data::Binary(bytes) => alloc::format!("{bytes:?}"),
        })
        .collect()
}

#[test]
fn a_new_client_joins_what_it_asks_for() {
    let mut client = open(Protocol::V5);
    assert_eq!(client.next_request(), None);
    let request = handle(&mut client, "0/a,{\"x\":1}").unwrap();
    let Some(Incoming::Connect(request)) = request else {
        panic!("{request:?}");
    };
    assert_eq!(request.auth, Auth::Json("{\"x\":1}".into()));
    client.begin("/a", Socket::new("id".into(), 3));
    assert!(!client.socket("/a").unwrap().is_connected());
    // Until it is let in, it has nothing to say there.
    assert_eq!(
        handle(&mut client, "2/a,[\"e\"]"),
        Err(Violation::NotJoined)
    );
    assert_eq!(
        texts(&client.accept("/a").unwrap()),
        [r#"0/a,{"sid":"id"}"#]
    );
    assert!(matches!(
        handle(&mut client, "2/a,[\"e\"]"),
        Ok(Some(Incoming::Event { .. }))
    ));
    assert_eq!(client.socket("/a").unwrap().definition, 3);
}

#[test]
fn in_protocol_4_the_root_comes_first() {
    let mut client = open(Protocol::V4);
    // It asks before the root is decided …
    assert_eq!(handle(&mut client, "0/a?t=1,"), Ok(None));
    let root = client.next_request().unwrap();
    assert_eq!((&*root.namespace, root.auth), (ROOT, Auth::None));
    client.begin(ROOT, Socket::new("sid".into(), 0));
    assert_eq!(client.next_request(), None);
    assert_eq!(handle(&mut client, "0/b,"), Ok(None));
    assert_eq!(texts(&client.accept(ROOT).unwrap()), ["0"]);
    // … and is heard behind it, in order.
    let request = client.next_request().unwrap();
    assert_eq!(
        (&*request.namespace, request.auth),
        ("/a", Auth::Query("t=1".into()))
    );
    assert_eq!(client.next_request().unwrap().namespace, "/b");
    assert_eq!(client.next_request(), None);
}

#[test]
fn in_protocol_4_others_are_heard_even_if_the_root_is_refused() {
    let mut client = open(Protocol::V4);
    let _ = client.next_request().unwrap();
    client.begin(ROOT, Socket::new("sid".into(), 0));
    assert_eq!(handle(&mut client, "0/a,"), Ok(None));
    assert_eq!(texts(&client.refuse(ROOT, "no", None)), ["4\"no\""]);
    assert_eq!(client.next_request().unwrap().namespace, "/a");
}

#[test]
fn ids_of_protocol_4_are_computed() {
    let id = |protocol, namespace| Client::socket_id(protocol, "sid", namespace);
    assert_eq!(id(Protocol::V4, "/").as_deref(), Some("sid"));
    assert_eq!(id(Protocol::V4, "/n").as_deref(), Some("/n#sid"));
    assert_eq!(id(Protocol::V5, "/"), None);
}

#[test]
fn nothing_joined_in_time_ends_it() {
    let at = |seconds| Timestamp::from_millis(1_000) + Duration::from_secs(seconds);
    let mut client = open(Protocol::V5);
    assert_eq!(client.next_deadline(), Some(at(45)));
    assert!(!client.handle_timeout(at(44)));
    assert!(client.handle_timeout(at(45)));
    join(&mut client, "/");
    assert_eq!(client.next_deadline(), None);
    assert!(!client.handle_timeout(at(1_000)));
    // Who has joined once may stay without a namespace.
    assert!(matches!(
        handle(&mut client, "1"),
        Ok(Some(Incoming::Disconnect { .. }))
    ));
    assert!(!client.handle_timeout(at(1_000)));
}

#[test]
fn a_client_is_in_so_many_namespaces() {
    let mut client = open(Protocol::V5);
    for namespace in ["/a", "/b"] {
        join(&mut client, namespace);
    }
    assert!(matches!(
        handle(&mut client, "0/c,"),
        Ok(Some(Incoming::Connect(_)))
    ));
    join(&mut client, "/c");
    let refusal = handle(&mut client, "0/d,").unwrap();
    let Some(Incoming::Reply(refusal)) = refusal else {
        panic!("{refusal:?}");
    };
    assert_eq!(
        texts(&refusal),
        [r#"4/d,{"message":"Too many namespaces"}"#]
    );
    assert!(matches!(
        handle(&mut client, "1/a,"),
        Ok(Some(Incoming::Disconnect { .. }))
    ));
    assert!(matches!(
        handle(&mut client, "0/d,"),
        Ok(Some(Incoming::Connect(_)))
    ));
}

#[test]
fn a_socket_is_in_so_many_rooms() {
    let mut client = open(Protocol::V5);
    let id = join(&mut client, "/");
    assert!(client.join("/", "b"));
    assert!(client.join("/", "a"));
    assert!(client.join("/", "a"), "it is there already");
    assert!(!client.join("/", "c"));
    assert_eq!(client.socket("/").unwrap().rooms, ["a", "b", &*id]);
    client.leave("/", "a");
    assert!(client.join("/", "c"));
    assert!(!client.join("/nowhere", "a"));
    assert!(client.socket("/").unwrap().is_in(&id));
}

#[test]
fn what_ends_with_the_session() {
    let mut client = open(Protocol::V5);
    join(&mut client, "/a");
    client.begin("/b", Socket::new("b".into(), 0));
    let closed: Vec<_> = client
        .close()
        .map(|(name, socket)| (name, socket.is_connected()))
        .collect();
    assert_eq!(closed, [("/a".into(), true), ("/b".into(), false)]);
    assert_eq!(client.sockets().count(), 0);
    assert!(client.accept("/b").is_none());
}

#[test]
fn reasons_are_those_that_users_know() {
    assert_eq!(
        Violation::NotJoined.reason().as_str(),
        "forced server close"
    );
    let parse = Violation::Parse(ParseError::Json).reason();
    assert_eq!(parse.as_str(), "parse error");
    assert!(!parse.is_recoverable());
    assert!(Violation::JoinedTwice.reason().is_recoverable());
    assert!(!Reason::ClientNamespaceDisconnect.is_recoverable());
    assert!(!Reason::ServerNamespaceDisconnect.is_recoverable());
    assert!(Reason::ServerShuttingDown.is_recoverable());
}

/// Brings a client into a state.
type Prepare = fn(&mut Client);

/// The states that a client can be in, and the inputs that it can be given.
#[test]
fn every_state_with_every_input() {
    let states: [(&str, Prepare); 5] = [
        ("new", |_| {}),
        ("connecting", |client| {
            client.begin("/n", Socket::new("id".into(), 0))
        }),
        ("connected", |client| {
            join(client, "/n");
        }),
        ("left", |client| {
            join(client, "/n");
            client.disconnect("/n").unwrap();
        }),
        ("pending", |client| {
            join(client, "/n");
            let header = "51-/n,[\"e\",{\"_placeholder\":true,\"num\":0}]";
            assert_eq!(handle(client, header), Ok(None));
        }),
    ];
    let inputs = [
        "0/n,",
        "1/n,",
        "2/n,[\"e\"]",
        "2/n,1[\"e\"]",
        "31[]",
        "3/n,1[]",
        "4/n,{}",
        "2[\"e\"]",
        "x",
    ];
    let mut table = String::new();
    for protocol in [Protocol::V4, Protocol::V5] {
        for (state, prepare) in states {
            for input in inputs
                .map(Data::from)
                .into_iter()
                .chain([Data::from(vec![1])])
            {
                let mut client = open(protocol);
                while let Some(request) = client.next_request() {
                    join(&mut client, &request.namespace.clone());
                }
                prepare(&mut client);
                let outcome = match client.handle_message(input.borrowed()) {
                    Ok(None) => "nothing".to_string(),
                    Ok(Some(incoming)) => summary(&incoming),
                    Err(violation) => alloc::format!("closed: {violation}"),
                };
                let input = match &input {
                    Data::Text(text) => text.to_string(),
                    Data::Binary(_) => "bytes".to_string(),
                };
                table += &alloc::format!("{protocol:?}  {state:<10}  {input:<12}  {outcome}\n");
            }
        }
    }
    insta::assert_snapshot!(table);
}

fn summary(incoming: &Incoming<'_>) -> String {
    match incoming {
        Incoming::Connect(request) => alloc::format!("connect to {}", request.namespace),
        Incoming::Event {
            name, ack, args, ..
        } => {
            alloc::format!(
                "event {name}, ack {ack:?}, {} attachments",
                args.attachments().len()
            )
        }
        Incoming::Ack { id, .. } => alloc::format!("ack {id}"),
        Incoming::Disconnect { namespace, .. } => alloc::format!("disconnect from {namespace}"),
        Incoming::Reply(reply) => alloc::format!("reply {:?}", texts(reply)),
    }
}
