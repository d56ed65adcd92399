//! Packets in msgpack. The vectors are what the JavaScript library writes.

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
    assert_eq!(decode(event("90")), Err(ParseError::Payload));
    assert_eq!(
        decode(event("91 a7636f6e6e656374")),
        Err(ParseError::ReservedName)
    );
    let text = Decoder::default().decode(
        Protocol::V5,
        Parser::MSGPACK,
        LIMITS,
        Data::from("2[\"a\"]"),
    );
    assert_eq!(text, Err(ParseError::MsgPack));
}

#[test]
fn how_deep_and_how_many() {
    let nested = |depth: usize| event(&alloc::format!("92 a161 {} c0", "91".repeat(depth)));
    assert!(decode(nested(99)).is_ok());
    assert_eq!(decode(nested(101)), Err(ParseError::MsgPack));
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
