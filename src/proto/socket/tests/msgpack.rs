//! Packets in msgpack. The vectors are what the JavaScript library writes.

use alloc::string::String;
use alloc::vec;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}

fn decode(bytes: Vec<u8>) -> Result<Option<ClientPacket<'static>>, ParseError> {
    Decoder::default().decode(Protocol::V5, Parser::MSGPACK, LIMITS, Data::from(bytes))
}

/// Returns `{type: 2, data: […], nsp: "/"}`, with the data as it is given.
fn event(data: &str) -> Vec<u8> {
    bytes(&alloc::format!(
        "83 a474797065 02 a464617461 {data} a36e7370 a12f"
    ))
}

fn check(data: &str, json: &str, attachments: Vec<Vec<u8>>) {
    let Ok(Some(ClientPacket::Event { args, .. })) = decode(event(data)) else {
        panic!("{data}");
    };
    assert_eq!(
        (args.json(), args.attachments()),
        (json, &*attachments),
        "{data}"
    );
}

#[test]
fn values_of_every_kind() {
    check("91 a161", r#"["a"]"#, vec![]);
    check("93 a161 7f e0", r#"["a",127,-32]"#, vec![]);
    check("93 a161 ccff cdffff", r#"["a",255,65535]"#, vec![]);
    check(
        "93 a161 ceffffffff cf001fffffffffffff",
        r#"["a",4294967295,9007199254740991]"#,
        vec![],
    );
    check(
        "95 a161 d080 d18000 d280000000 d3ffe0000000000001",
        r#"["a",-128,-32768,-2147483648,-9007199254740991]"#,
        vec![],
    );
    check("94 a161 c0 c2 c3", r#"["a",null,false,true]"#, vec![]);
    check(
        "93 a161 cb3fe0000000000000 ca3f000000",
        r#"["a",0.5,0.5]"#,
        vec![],
    );
    check("92 a161 cb7ff0000000000000", r#"["a",null]"#, vec![]);
    check("92 a161 81 a162 90", r#"["a",{"b":[]}]"#, vec![]);
    // Keys that are not texts.
    check(
        "92 a161 85 01 01 e0 02 c3 03 c0 04 cb3fe0000000000000 05",
        r#"["a",{"1":1,"-32":2,"true":3,"null":4,"0.5":5}]"#,
        vec![],
    );
    check("92 a161 d90122", r#"["a","\""]"#, vec![]);
    // undefined, and a date.
    check("92 a161 d40000", r#"["a",null]"#, vec![]);
    check(
        "92 a161 d700 0000000000000000",
        r#"["a","1970-01-01T00:00:00.000Z"]"#,
        vec![],
    );
    check(
        "92 a161 d700 0000018bcfe56800",
        r#"["a","2023-11-14T22:13:20.000Z"]"#,
        vec![],
    );
    let placeholder = r#"["a",{"_placeholder":true,"num":0}]"#;
    check("92 a161 c4020102", placeholder, vec![vec![1, 2]]);
}

#[test]
fn what_is_no_packet() {
    for (hex, error) in [
        ("", ParseError::MsgPack),
        ("90", ParseError::MsgPack),
        ("80", ParseError::Payload),
        ("c1", ParseError::MsgPack),
        // It says that it is longer than it is.
        ("82 a474797065 02 a36e7370 dbffffffff", ParseError::MsgPack),
        ("82 a474797065 02 a36e7370 a12f", ParseError::Payload),
        ("82 a474797065 04 a36e7370 a12f", ParseError::NotForServers),
        ("82 a474797065 09 a36e7370 a12f", ParseError::UnknownType),
        ("82 a474797065 00 a36e7370 a12f 00", ParseError::MsgPack),
    ] {
        assert_eq!(decode(bytes(hex)), Err(error), "{hex}");
    }
    // Keys that JavaScript would not read again.
    for key in ["90", "80", "c40101", "d700 0000000000000000", "c1", ""] {
        let packet = event(&alloc::format!("92 a161 81 {key} c0"));
        assert_eq!(decode(packet), Err(ParseError::MsgPack), "{key}");
    }
    // The data of an event is a list.
    assert_eq!(decode(event("80")), Err(ParseError::Payload));
    assert_eq!(decode(event("a161")), Err(ParseError::Payload));
    let text = Decoder::default().decode(
        Protocol::V5,
        Parser::MSGPACK,
        LIMITS,
        Data::from("2[\"a\"]"),
    );
    assert_eq!(text, Err(ParseError::MsgPack));
}

#[test]
fn what_is_not_heard() {
    // Without a name, with `null` for a name, and with a reserved one.
    for data in ["90", "91 c0", "91 a7636f6e6e656374"] {
        assert_eq!(decode(event(data)), Ok(None), "{data}");
    }
    let packet = |kind: &str, id: &str| {
        let id = bytes(id);
        let fields = if id.is_empty() { "83" } else { "84 a26964 ID" };
        let hex: String = id.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
        decode(bytes(&alloc::format!(
            "{} a474797065 {kind} a464617461 91a161 a36e7370 a12f",
            fields.replace("ID", &hex)
        )))
    };
    for (id, number) in [
        ("", None),
        ("07", Some(7)),
        ("cb401c000000000000", Some(7)),
        ("cf0020000000000000", Some(1 << 53)),
        ("cf0020000000000001", None),
        ("cfffffffffffffffff", None),
        ("ff", None),
    ] {
        let Ok(Some(ClientPacket::Event { ack, .. })) = packet("02", id) else {
            panic!("{id}");
        };
        assert_eq!(ack, number, "{id}");
        let answer = match packet("03", id).unwrap() {
            Some(ClientPacket::Ack { id, .. }) => Some(id),
            other => {
                assert_eq!(other, None);
                None
            }
        };
        assert_eq!(answer, number, "{id}");
    }
    for id in ["a131", "cb3ff8000000000000", "c3", "90"] {
        assert_eq!(packet("02", id), Err(ParseError::AckId), "{id}");
        assert_eq!(packet("03", id), Err(ParseError::AckId), "{id}");
    }
}

#[test]
fn the_query_of_a_namespace_is_protocol_4() {
    // `/n?t=1`
    let nsp = "a36e7370 a62f6e3f743d31";
    for kind in [
        "00",
        "01",
        "02 a464617461 91a161",
        "03 a26964 01 a464617461 90",
    ] {
        let fields = 2 + kind.matches("a4").count() + kind.matches("a26964").count();
        let packet = bytes(&alloc::format!("8{fields} a474797065 {kind} {nsp}"));
        for (protocol, namespace) in [(Protocol::V4, "/n"), (Protocol::V5, "/n?t=1")] {
            let data = Data::from(packet.clone());
            let packet = Decoder::default().decode(protocol, Parser::MSGPACK, LIMITS, data);
            let packet = packet.unwrap().unwrap();
            assert_eq!(packet.namespace(), namespace, "{kind}");
            if let ClientPacket::Connect { query, .. } = packet {
                let is_split = protocol == Protocol::V4;
                assert_eq!(query.as_deref(), is_split.then_some("t=1"));
            }
        }
    }
}

#[test]
fn how_deep_and_how_many() {
    let nested = |depth: usize| event(&alloc::format!("92 a161 {} c0", "91".repeat(depth)));
    assert!(decode(nested(98)).is_ok());
    assert!(decode(nested(99)).is_ok());
    assert_eq!(decode(nested(100)), Err(ParseError::MsgPack));
    let attached = |count: usize| {
        event(&alloc::format!(
            "9{} a161 {}",
            1 + count,
            "c40101".repeat(count)
        ))
    };
    assert!(decode(attached(3)).is_ok());
    assert_eq!(decode(attached(4)), Err(ParseError::TooManyAttachments));
}

#[test]
fn what_looks_like_a_placeholder_is_data_unless_it_could_be_one() {
    let lookalike = "82 ac5f706c616365686f6c646572 c3 a36e756d 00";
    assert!(decode(event(&alloc::format!("92 a161 {lookalike}"))).is_ok());
    let both = event(&alloc::format!("93 a161 {lookalike} c40101"));
    assert_eq!(decode(both), Err(ParseError::Placeholder));
}

#[test]
fn what_a_server_sends() {
    let json = r#"["a",{"_placeholder":true,"num":0},-1,1.5,"é",[],{"b":null}]"#;
    let args = Args::new(json, vec![vec![1, 2]]);
    let packet = ServerPacket::Event {
        namespace: "/n",
        ack: Some(300),
        args: &args,
        offset: Some("9"),
    };
    let encoded = packet.encode(Protocol::V5, Parser::MSGPACK);
    let expect = bytes(
        "84 a474797065 02 a464617461 98 a161 c4020102 ff cb3ff8000000000000 a2c3a9 90 81a162c0 a139 \
         a36e7370 a22f6e a26964 cd012c",
    );
    assert_eq!(wire(&encoded), [Data::from(expect)]);
}

fn encode(json: &str, attachments: Vec<Vec<u8>>) -> Vec<u8> {
    let args = Args::new(json, attachments);
    let packet = ServerPacket::Ack {
        namespace: "/",
        id: 1,
        args: &args,
    };
    let encoded = packet.encode(Protocol::V5, Parser::MSGPACK);
    let [Data::Binary(bytes)] = &wire(&encoded)[..] else {
        panic!("{encoded:?}");
    };
    let start = bytes.windows(5).position(|it| it == b"\xa4data").unwrap() + 5;
    let end = bytes
        .windows(6)
        .position(|it| it == b"\xa3nsp\xa1/")
        .unwrap();
    bytes[start..end].to_vec()
}

/// The application may send a value of a client's within others of its own.
#[test]
fn what_is_written_may_be_deeper_than_what_is_read() {
    let nested = |depth: usize| alloc::format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [100, 101, 102, 999, 1_000, 1_001] {
        let expect = [vec![0x91; depth], vec![1]].concat();
        assert_eq!(encode(&nested(depth), vec![]), expect, "{depth}");
    }
    // What is deeper is null, and everything else is there.
    for depth in [1_002, 1_003, 100_000] {
        let json = alloc::format!("[{},2]", nested(depth - 1));
        let expect = [vec![0x92], vec![0x91; 1_000], vec![0xc0, 2]].concat();
        assert_eq!(encode(&json, vec![]), expect, "{depth}");
        let json = alloc::format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        let expect = [b"\x81\xa1a".repeat(1_001), vec![0xc0]].concat();
        assert_eq!(encode(&json, vec![]), expect, "{depth}");
    }
}

#[test]
fn lengths_have_the_shortest_prefix() {
    let items = |count: usize| alloc::format!("[{}]", vec!["1"; count].join(","));
    for (count, expect) in [
        (15, &[0x9f][..]),
        (16, &[0xdc, 0, 16]),
        (65_535, &[0xdc, 0xff, 0xff]),
        (65_536, &[0xdd, 0, 1, 0, 0]),
    ] {
        assert!(encode(&items(count), vec![]).starts_with(expect), "{count}");
    }
    let members = |count: usize| alloc::format!("[{{{}}}]", vec!["\"a\":1"; count].join(","));
    for (count, expect) in [(15, &[0x91, 0x8f][..]), (16, &[0x91, 0xde, 0, 16])] {
        assert!(
            encode(&members(count), vec![]).starts_with(expect),
            "{count}"
        );
    }
}

#[test]
fn a_placeholder_is_its_attachment_whatever_else_is_in_it() {
    let check = |json: &str, expect: &str| {
        let attachments = vec![vec![7], vec![8, 9]];
        assert_eq!(encode(json, attachments), bytes(expect), "{json}");
    };
    check(
        r#"[{"num":1,"x":[[{}],1],"_placeholder":true},[2]]"#,
        "92 c4020809 9102",
    );
    check(r#"[{"_placeholder":true,"num":0,"num":1}]"#, "91 c4020809");
    check(
        r#"{"a":{"_placeholder":true,"num":0},"b":3}"#,
        "82 a161 c40107 a162 03",
    );
    check(
        r#"[{"_placeholder":true,"num":2},{"_placeholder":false,"num":0}]"#,
        "92 82 ac5f706c616365686f6c646572 c3 a36e756d 02 \
         82 ac5f706c616365686f6c646572 c2 a36e756d 00",
    );
}

/// Writing looks at each token once, however deep it is: 450 kB of numbers in 97 arrays
/// took 97 times as long as one array.
#[test]
fn writing_takes_as_many_steps_as_there_are_tokens() {
    let numbers = vec!["1"; 225_000].join(",");
    for depth in [1, 97, 1_000, 100_000] {
        let json = alloc::format!("{}{numbers}{}", "[".repeat(depth), "]".repeat(depth));
        let (_, steps) = crate::socket::tokens::steps(|| encode(&json, vec![]));
        assert_eq!(steps, 225_000 + 2 * depth, "{depth}");
    }
}

#[test]
fn a_connect_is_told_from_other_packets() {
    let nsp = "a36e7370 a12f";
    for (packet, is_connect) in [
        // `{type: 0, nsp: "/"}`, the same the other way round, and in other numbers.
        ("82 a474797065 00 NSP", true),
        ("82 NSP a474797065 00", true),
        ("82 a474797065 cc00 NSP", true),
        ("82 a474797065 d100 00 NSP", true),
        ("de0002 a474797065 00 NSP", true),
        ("82 a474797065 01 NSP", false),
        ("82 NSP a474797065 01", false),
        ("83 a474797065 02 NSP a464617461 91a161", false),
        // What is not a packet is not one that asks for anything.
        ("82 a474797065 00 NSP 00", false),
        ("81 a474797065 00", false),
        ("80", false),
        ("", false),
        // Which of two types is meant is not for the sender to choose.
        ("83 a474797065 01 NSP a474797065 00", false),
        ("83 a474797065 00 NSP a474797065 00", false),
    ] {
        let bytes = bytes(&packet.replace("NSP", nsp));
        let data = Data::from(&*bytes);
        let said = (Parser::MSGPACK.is_connect)(Protocol::V5, LIMITS, &data);
        assert_eq!(said, is_connect, "{packet}");
        let decoded = decode(bytes.clone());
        let is_one = matches!(decoded, Ok(Some(ClientPacket::Connect { .. })));
        assert_eq!(is_one, is_connect, "{packet}: {decoded:?}");
    }
    let text = Data::from("0");
    assert!(!(Parser::MSGPACK.is_connect)(Protocol::V5, LIMITS, &text));
}
