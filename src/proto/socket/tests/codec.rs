//! Packets as text, in tables.

use alloc::borrow::Cow;
use alloc::string::{String, ToString as _};
use alloc::vec;

use super::*;

fn decode(protocol: Protocol, text: &str) -> Result<Option<ClientPacket<'_>>, ParseError> {
    Decoder::default().decode(protocol, Parser::JSON, LIMITS, Data::from(text))
}

fn check(text: &str, expect: ClientPacket<'_>) {
    for protocol in [Protocol::V4, Protocol::V5] {
        assert_eq!(decode(protocol, text), Ok(Some(expect.clone())), "{text}");
    }
}

fn check_error(text: &str, expect: ParseError) {
    for protocol in [Protocol::V4, Protocol::V5] {
        assert_eq!(decode(protocol, text), Err(expect), "{text}");
    }
}

/// There is nothing to hear, and nothing to end the session for.
fn check_nothing(text: &str) {
    for protocol in [Protocol::V4, Protocol::V5] {
        assert_eq!(decode(protocol, text), Ok(None), "{text}");
    }
}

fn event<'a>(
    namespace: &'a str,
    ack: Option<u64>,
    name: &'a str,
    json: &'a str,
) -> ClientPacket<'a> {
    ClientPacket::Event {
        namespace: namespace.into(),
        ack,
        name: name.into(),
        args: Args::new(json, vec![]),
    }
}

fn connect<'a>(namespace: &'a str, auth: Option<&'a str>) -> ClientPacket<'a> {
    ClientPacket::Connect {
        namespace: namespace.into(),
        query: None,
        auth: auth.map(Cow::from),
    }
}

#[test]
fn connects_and_disconnects() {
    check("0", connect("/", None));
    check("0/chat", connect("/chat", None));
    check("0/chat,", connect("/chat", None));
    check(r#"0{"token":"1"}"#, connect("/", Some(r#"{"token":"1"}"#)));
    check(r#"0/a,{"b":[1]}"#, connect("/a", Some(r#"{"b":[1]}"#)));
    check(
        "1",
        ClientPacket::Disconnect {
            namespace: "/".into(),
        },
    );
    check(
        "1/a,",
        ClientPacket::Disconnect {
            namespace: "/a".into(),
        },
    );
    for wrong in ["0[]", "0null", "01\"a\"", "0\"a\"", "0true"] {
        check_error(wrong, ParseError::Payload);
    }
    check_error("0{", ParseError::Json);
    check_error("0{}x", ParseError::Json);
    check_error("1{}", ParseError::Payload);
    check_error("4{}", ParseError::NotForServers);
}

#[test]
fn the_query_of_a_namespace_is_protocol_4() {
    let packet = decode(Protocol::V4, "0/admin?token=1&x=,");
    let expect = ClientPacket::Connect {
        namespace: "/admin".into(),
        query: Some("token=1&x=".into()),
        auth: None,
    };
    assert_eq!(packet, Ok(Some(expect)));
    let packet = decode(Protocol::V5, "0/admin?token=1,");
    assert_eq!(packet, Ok(Some(connect("/admin?token=1", None))));
    for (text, namespace) in [
        ("1/admin?token=1,", "/admin"),
        ("1/admin?token=1", "/admin"),
        ("2/admin?token=1,[\"a\"]", "/admin"),
        ("3/admin?token=1,1[]", "/admin"),
    ] {
        let packet = decode(Protocol::V4, text).unwrap().unwrap();
        assert_eq!(packet.namespace(), namespace, "{text}");
        let packet = decode(Protocol::V5, text).unwrap().unwrap();
        assert_eq!(packet.namespace(), "/admin?token=1", "{text}");
    }
}

#[test]
fn events_and_acknowledgements() {
    check(r#"2["a"]"#, event("/", None, "a", r#"["a"]"#));
    check(r#"2/n,["a",1]"#, event("/n", None, "a", r#"["a",1]"#));
    check(r#"2/n,7["a"]"#, event("/n", Some(7), "a", r#"["a"]"#));
    check(r#"20["a"]"#, event("/", Some(0), "a", r#"["a"]"#));
    check(r#"2[ "é 🦔" ]"#, event("/", None, "é 🦔", r#"[ "é 🦔" ]"#));
    check(
        r#"2["\u0061\n"]"#,
        event("/", None, "a\n", r#"["\u0061\n"]"#),
    );
    check("2[12,3]", event("/", None, "12", "[12,3]"));
    check("2[-1]", event("/", None, "-1", "[-1]"));
    // A lone surrogate is no string of ours, but passes through.
    check(
        r#"2["a","\ud800"]"#,
        event("/", None, "a", r#"["a","\ud800"]"#),
    );
    let ack = |namespace: &'static str, id, json: &'static str| ClientPacket::Ack {
        namespace: namespace.into(),
        id,
        args: Args::new(json, vec![]),
    };
    check("37[]", ack("/", 7, "[]"));
    check("3/n,0[1,{}]", ack("/n", 0, "[1,{}]"));
    for wrong in [
        "2[]", "2{}", "2[null]", "2[{}]", "2[[]]", "2[true]", "2\"a\"", "31{}", "31\"a\"",
    ] {
        check_error(wrong, ParseError::Payload);
    }
    for wrong in [
        "2[",
        "2[\"a\"",
        "2[\"a\",]",
        "2[\"a\"]]",
        "2x[\"a\"]",
        "31[",
        "2[\"\\x\"]",
    ] {
        check_error(wrong, ParseError::Json);
    }
    check("37", ack("/", 7, "[]"));
    for nothing in ["2", "2/n,7", "3", "3[]", "3/n,[\"a\"]"] {
        check_nothing(nothing);
    }
    check_error("3{}", ParseError::Payload);
    for name in RESERVED_NAMES {
        check_error(&alloc::format!("2[\"{name}\"]"), ParseError::ReservedName);
    }
}

#[test]
fn what_begins_with_no_type() {
    for wrong in ["", "7", "abc", "-1", "é", "\u{0}"] {
        check_error(wrong, ParseError::UnknownType);
    }
}

#[test]
fn numbers_of_acknowledgements() {
    for (digits, id) in [
        ("9007199254740991", Some((1 << 53) - 1)),
        ("9007199254740992", Some(1 << 53)),
        ("9007199254740993", None),
        ("9999999999999999", None),
        ("18446744073709551616", None),
        ("9999999999999999999999", None),
        ("00000000000000000000001", Some(1)),
    ] {
        let text = alloc::format!("2{digits}[\"a\"]");
        check(&text, event("/", id, "a", "[\"a\"]"));
        let text = alloc::format!("3{digits}[\"a\"]");
        match id {
            Some(id) => check(
                &text,
                ClientPacket::Ack {
                    namespace: "/".into(),
                    id,
                    args: Args::new("[\"a\"]", vec![]),
                },
            ),
            None => check_nothing(&text),
        }
    }
}

#[test]
fn numbers_of_attachments() {
    for wrong in [
        "5[\"a\"]",
        "5-[\"a\"]",
        "5x-[\"a\"]",
        "5",
        "5-1-[\"a\"]",
        "50-[\"a\"]",
        "60-1[]",
        "5000-[\"a\"]",
        "59999999-[\"a\"]",
    ] {
        check_error(wrong, ParseError::AttachmentCount);
    }
    check_error("54-[\"a\"]", ParseError::TooManyAttachments);
}

#[test]
fn attachments_follow_what_is_not_heard() {
    for text in ["51-", "51-/n,3", "61-[]", "61-99999999999999999999[1]"] {
        let mut decoder = Decoder::default();
        let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, LIMITS, data);
        assert_eq!(decode(Data::from(text)), Ok(None));
        assert_eq!(decode(Data::from(vec![1])), Ok(None));
        assert_eq!(
            decode(Data::from(vec![1])),
            Err(ParseError::UnexpectedBinary)
        );
    }
    let mut decoder = Decoder::default();
    let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, LIMITS, data);
    assert_eq!(decode(Data::from("61-7")), Ok(None));
    let ack = ClientPacket::Ack {
        namespace: "/".into(),
        id: 7,
        args: Args::new("[]", vec![vec![1]]),
    };
    assert_eq!(decode(Data::from(vec![1])), Ok(Some(ack)));
}

#[test]
fn how_deep_a_payload_is_nested_does_not_matter() {
    let limits = Limits {
        attachments: 0,
        bytes: usize::MAX,
    };
    let deep = alloc::format!(
        "2[\"a\",{}{}]",
        "[".repeat(1_000_000),
        "]".repeat(1_000_000)
    );
    let packet = Decoder::default().decode(Protocol::V5, Parser::JSON, limits, Data::from(&*deep));
    assert!(matches!(packet, Ok(Some(ClientPacket::Event { .. }))));
    assert_eq!(placeholders(deep.get(1..).unwrap()), []);
}

#[test]
fn attachments_follow_their_packet() {
    let text = r#"52-/n,3["a",{"_placeholder":true,"num":1},[{"num":0,"_placeholder":true}]]"#;
    let mut decoder = Decoder::default();
    let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, LIMITS, data);
    assert_eq!(decode(Data::from(text)), Ok(None));
    assert_eq!(decode(Data::from(vec![1])), Ok(None));
    let Ok(Some(ClientPacket::Event {
        ack, name, args, ..
    })) = decode(Data::from(vec![2, 3]))
    else {
        panic!("complete");
    };
    assert_eq!((ack, &*name), (Some(3), "a"));
    assert_eq!(args.attachments(), [vec![1], vec![2, 3]]);
    assert!(!decoder.is_pending());
}

#[test]
fn messages_out_of_order() {
    let mut decoder = Decoder::default();
    let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, LIMITS, data);
    assert_eq!(
        decode(Data::from(vec![1])),
        Err(ParseError::UnexpectedBinary)
    );
    let header = r#"51-["a",{"_placeholder":true,"num":0}]"#;
    assert_eq!(decode(Data::from(header)), Ok(None));
    assert_eq!(
        decode(Data::from("2[\"b\"]")),
        Err(ParseError::UnexpectedText)
    );
    assert_eq!(
        decode(Data::from(vec![1])),
        Err(ParseError::UnexpectedBinary)
    );
}

#[test]
fn placeholders_must_name_an_attachment() {
    for (json, fits) in [
        (r#"{"_placeholder":true,"num":0}"#, true),
        (r#"{"_placeholder":true,"num":0,"more":[]}"#, true),
        (r#"{"_placeholder":true,"num":1}"#, false),
        (r#"{"_placeholder":true,"num":-1}"#, false),
        (r#"{"_placeholder":true,"num":"0"}"#, false),
        (r#"{"_placeholder":true,"num":0.5}"#, false),
        (r#"{"_placeholder":true}"#, false),
        (r#"{"_\u0070laceholder":true,"num":9}"#, false),
        (r#"{"_placeholder":false,"num":9}"#, true),
        (r#"{"_placeholder":1,"num":9}"#, true),
        (r#"{"_placeholder":true,"_placeholder":1,"num":9}"#, true),
        (r#"{"_placeholder":true,"_placeholder":{},"num":9}"#, true),
        (r#"{"_placeholder":true,"num":0,"num":[]}"#, false),
        (r#"{"_placeholder":true,"num":0,"num":{"num":0}}"#, false),
        (r#"["_placeholder",true,"num",9]"#, true),
        (r#"{"a":"{\"_placeholder\":true,\"num\":9}"}"#, true),
    ] {
        let mut decoder = Decoder::default();
        let text = alloc::format!("51-[\"a\",{json}]");
        let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, LIMITS, data);
        assert_eq!(decode(Data::from(&*text)), Ok(None), "{json}");
        let decoded = decode(Data::from(vec![7]));
        assert_eq!(decoded.is_ok(), fits, "{json}");
        if !fits {
            assert_eq!(decoded, Err(ParseError::Placeholder));
        }
        // Without attachments, it is an object like any other.
        let text = alloc::format!("2[\"a\",{json}]");
        assert!(super::codec::decode(Protocol::V5, &text).is_ok(), "{json}");
    }
}

#[test]
fn a_packet_has_so_many_bytes() {
    let header = r#"51-["a",{"_placeholder":true,"num":0}]"#;
    for (bytes, fits) in [(1_000 - header.len(), true), (1_001 - header.len(), false)] {
        let mut decoder = Decoder::default();
        let mut decode = |data| decoder.decode(Protocol::V5, Parser::JSON, LIMITS, data);
        assert_eq!(decode(Data::from(header)), Ok(None));
        let decoded = decode(Data::from(vec![0; bytes]));
        assert_eq!(decoded.is_ok(), fits, "{bytes}");
    }
    let text = alloc::format!("2[\"{}\"]", "a".repeat(1_000));
    check_error(&text, ParseError::TooLarge);
}

#[test]
fn what_a_server_sends() {
    let args = Args::new(r#"["a",1]"#, vec![]);
    let nothing = Args::new("[]", vec![]);
    let binary = Args::new(r#"["a",{"_placeholder":true,"num":0}]"#, vec![vec![1, 2]]);
    let check = |packet: ServerPacket<'_>, four: &str, five: &str| {
        for (protocol, expect) in [(Protocol::V4, four), (Protocol::V5, five)] {
            let encoded = packet.encode(protocol, Parser::JSON);
            assert_eq!(wire(&encoded).first(), Some(&Data::from(expect)));
        }
    };
    let connect = |namespace, pid| ServerPacket::Connect {
        namespace,
        sid: "s\"",
        pid,
    };
    check(connect("/", None), "0", r#"0{"sid":"s\""}"#);
    check(
        connect("/n", Some("p")),
        "0/n,",
        r#"0/n,{"sid":"s\"","pid":"p"}"#,
    );
    check(ServerPacket::Disconnect { namespace: "/" }, "1", "1");
    check(ServerPacket::Disconnect { namespace: "/n" }, "1/n,", "1/n,");
    let event = |namespace, ack, args, offset| ServerPacket::Event {
        namespace,
        ack,
        args,
        offset,
    };
    check(event("/", None, &args, None), r#"2["a",1]"#, r#"2["a",1]"#);
    check(
        event("/n", Some(5), &args, None),
        r#"2/n,5["a",1]"#,
        r#"2/n,5["a",1]"#,
    );
    let with_offset = r#"2["a",1,"77"]"#;
    check(
        event("/", None, &args, Some("77")),
        with_offset,
        with_offset,
    );
    let spaced = Args::new("[\"a\",1]\r\n", vec![]);
    check(
        event("/", None, &spaced, Some("77")),
        with_offset,
        with_offset,
    );
    let ack = |args| ServerPacket::Ack {
        namespace: "/",
        id: 9,
        args,
    };
    check(ack(&nothing), "39[]", "39[]");
    let refused = |data| ServerPacket::ConnectError {
        namespace: "/n",
        message: "no \"é\"",
        data,
    };
    check(
        refused(None),
        r#"4/n,"no \"é\"""#,
        r#"4/n,{"message":"no \"é\""}"#,
    );
    check(
        refused(Some("[1]")),
        "4/n,[1]",
        r#"4/n,{"message":"no \"é\"","data":[1]}"#,
    );
    let encoded = event("/", Some(1), &binary, None).encode(Protocol::V5, Parser::JSON);
    let expect = r#"51-1["a",{"_placeholder":true,"num":0}]"#;
    assert_eq!(wire(&encoded), [Data::from(expect), Data::from(vec![1, 2])]);
    let encoded = ack(&binary).encode(Protocol::V5, Parser::JSON);
    let first: String = match wire(&encoded).remove(0) {
        Data::Text(text) => text.to_string(),
        Data::Binary(_) => String::new(),
    };
    assert!(first.starts_with("61-9["), "{first}");
}
