//! Properties of every packet, and of any bytes.

use alloc::string::String;
use alloc::vec;

use proptest::prelude::*;

use super::*;

/// Generates JSON values with placeholders for attachments in them.
fn json(depth: u32) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".into()),
        Just("true".into()),
        any::<i32>().prop_map(|number| alloc::format!("{number}")),
        ".{0,8}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        (0..3_usize).prop_map(|num| alloc::format!(r#"{{"_placeholder":true,"num":{num}}}"#)),
    ];
    leaf.prop_recursive(depth, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|items| alloc::format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z\\\\\"é]{0,3}", inner), 0..3).prop_map(|entries| {
                let entries: Vec<String> = entries
                    .iter()
                    .map(|(key, value)| {
                        alloc::format!("{}:{value}", serde_json::to_string(key).unwrap())
                    })
                    .collect();
                alloc::format!("{{{}}}", entries.join(","))
            }),
        ]
    })
}

/// A value as JSON and as msgpack, each written in the plainest way.
#[derive(Clone, Debug)]
struct Both {
    json: String,
    msgpack: Vec<u8>,
}

/// Returns a head of msgpack: the shortest that has room for the number.
fn head(short: Option<(u8, usize)>, long: [u8; 3], number: usize) -> Vec<u8> {
    let [one, two, four] = long;
    match (short, number) {
        (Some((first, most)), _) if number <= most => vec![first | number as u8],
        (_, 0..=0xff) if one != 0 => vec![one, number as u8],
        (_, 0..=0xffff) => [&[two][..], &(number as u16).to_be_bytes()].concat(),
        _ => [&[four][..], &(number as u32).to_be_bytes()].concat(),
    }
}

fn both_text(text: &str) -> Both {
    let head = head(Some((0xa0, 31)), [0xd9, 0xda, 0xdb], text.len());
    Both {
        json: serde_json::to_string(text).unwrap(),
        msgpack: [&*head, text.as_bytes()].concat(),
    }
}

fn both_list(items: &[Both]) -> Both {
    let json: Vec<&str> = items.iter().map(|it| &*it.json).collect();
    let msgpack: Vec<u8> = items.iter().flat_map(|it| it.msgpack.clone()).collect();
    let head = head(Some((0x90, 15)), [0, 0xdc, 0xdd], items.len());
    Both {
        json: alloc::format!("[{}]", json.join(",")),
        msgpack: [head, msgpack].concat(),
    }
}

fn both_map(members: &[(Both, Both)]) -> Both {
    let json: Vec<String> = members
        .iter()
        .map(|(key, value)| alloc::format!("{}:{}", key.json, value.json))
        .collect();
    let msgpack: Vec<u8> = members
        .iter()
        .flat_map(|(key, value)| [&*key.msgpack, &*value.msgpack].concat())
        .collect();
    let head = head(Some((0x80, 15)), [0, 0xde, 0xdf], members.len());
    Both {
        json: alloc::format!("{{{}}}", json.join(",")),
        msgpack: [head, msgpack].concat(),
    }
}

fn both_integer(number: i64) -> Both {
    let msgpack = match number {
        0..=0x7f => vec![number as u8],
        0x80..=0xff => vec![0xcc, number as u8],
        0x100..=0xffff => [&[0xcd][..], &(number as u16).to_be_bytes()].concat(),
        0x1_0000..=0xffff_ffff => [&[0xce][..], &(number as u32).to_be_bytes()].concat(),
        0x1_0000_0000.. => [&[0xcf][..], &number.to_be_bytes()].concat(),
        -32..0 => vec![number as u8],
        -0x80..-32 => vec![0xd0, number as u8],
        -0x8000..-0x80 => [&[0xd1][..], &(number as i16).to_be_bytes()].concat(),
        -0x8000_0000..-0x8000 => [&[0xd2][..], &(number as i32).to_be_bytes()].concat(),
        _ => [&[0xd3][..], &number.to_be_bytes()].concat(),
    };
    let json = alloc::format!("{number}");
    Both { json, msgpack }
}

fn both_float(number: f64) -> Both {
    Both {
        json: serde_json::to_string(&number).unwrap(),
        msgpack: [&[0xcb][..], &number.to_be_bytes()].concat(),
    }
}

fn both() -> impl Strategy<Value = Both> {
    let fixed = |json: &str, msgpack| {
        Just(Both {
            json: json.into(),
            msgpack: vec![msgpack],
        })
    };
    let leaf = prop_oneof![
        fixed("null", 0xc0),
        fixed("false", 0xc2),
        fixed("true", 0xc3),
        (0..64_u32, any::<i64>()).prop_map(|(shift, number)| both_integer(number >> shift)),
        any::<f64>()
            .prop_filter("it has a point", |number| number.fract() != 0.0)
            .prop_map(both_float),
        "(\\PC|.|[\\x00-\\x7f]){0,70}".prop_map(|text| both_text(&text)),
    ];
    leaf.prop_recursive(4, 80, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(|items| both_list(&items)),
            prop::collection::vec((".{0,3}".prop_map(|key| both_text(&key)), inner), 0..20)
                .prop_map(|members| both_map(&members)),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    ".{0,6}".prop_filter("not reserved", |name| !RESERVED_NAMES.contains(&&**name))
}

proptest! {
    #[test]
    fn msgpack_and_json_are_the_same_values(value in both(), spaces in " {0,2}") {
        let Both { json, msgpack } = value;
        let spaced = alloc::format!("{spaces}{json}{spaces}");
        prop_assert_eq!(&msgpack_from_json(&spaced, &[]), &msgpack);
        prop_assert_eq!(json_from_msgpack(&msgpack, 0), Ok((json, vec![])));
    }

    #[test]
    fn an_event_arrives_as_it_was_sent(
        namespace in "(/|/[a-z]{1,5})",
        id in proptest::option::of(0..LAST_ACK),
        name in name(),
        items in prop::collection::vec(json(4), 0..4),
    ) {
        let mut all = vec![serde_json::to_string(&name).unwrap()];
        all.extend(items);
        let json = alloc::format!("[{}]", all.join(","));
        let args = Args::new(json, vec![vec![1], vec![], vec![2, 3]]);
        let packet = ServerPacket::Event { namespace: &namespace, ack: id.map(u64::from), args: &args, offset: None };
        let limits = Limits { attachments: 1_000, bytes: usize::MAX };
        for parser in [Parser::JSON, Parser::MSGPACK] {
            let encoded = packet.encode(Protocol::V5, parser);
            let messages = wire(&encoded).into_iter().map(Data::into_owned);
            let mut decoder = Decoder::default();
            let mut decoded = None;
            for message in messages {
                prop_assert!(decoded.is_none());
                decoded = decoder.decode(Protocol::V5, parser, limits, message).unwrap();
            }
            let Some(ClientPacket::Event { namespace: n, ack, name: e, args: a }) = decoded else {
                return Err(TestCaseError::fail("no event"));
            };
            prop_assert_eq!((&*n, ack, &*e), (&*namespace, id.map(u64::from), &*name));
            if parser == Parser::JSON {
                prop_assert_eq!(a.json(), args.json());
                prop_assert_eq!(a.attachments(), args.attachments());
            }
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for protocol in [Protocol::V4, Protocol::V5] {
            for parser in [Parser::JSON, Parser::MSGPACK] {
                let mut decoder = Decoder::default();
                let _ = decoder.decode(protocol, parser, LIMITS, Data::from(&*text));
                let _ = decoder.decode(protocol, parser, LIMITS, Data::from(&*bytes));
            }
        }
        let _ = placeholders(&text);
    }

    #[test]
    fn nothing_like_a_packet_makes_it_panic(
        text in "[0-9]{0,3}-?(/[a-z?=]{0,4},?)?[0-9]{0,3}[\\[\\]{}\",:a-z0-9é_\\\\]{0,30}",
        bytes in prop::collection::vec(prop::sample::select(&[
            0x80_u8, 0x83, 0x91, 0x92, 0xa1, 0xa3, 0xa4, 0xc0, 0xc4, 0xc7, 0xd4, 0xd9, 0xdc, 0xdf, 0xff,
            2, b't', b'y', b'p', b'e', b'n', b's', b'/',
        ][..]), 0..40),
    ) {
        let mut decoder = Decoder::default();
        let _ = decoder.decode(Protocol::V5, Parser::JSON, LIMITS, Data::from(&*text));
        let _ = decoder.decode(Protocol::V5, Parser::MSGPACK, LIMITS, Data::from(&*bytes));
    }

    #[test]
    fn placeholders_are_found_wherever_they_are(value in json(5)) {
        let found = placeholders(&value);
        prop_assert_eq!(found.len(), value.matches("{\"_placeholder\"").count());
        for placeholder in found {
            let text = value.get(placeholder.range).unwrap();
            let expect = alloc::format!(r#"{{"_placeholder":true,"num":{}}}"#, placeholder.num.unwrap());
            prop_assert_eq!(text, expect);
        }
    }

    #[test]
    fn a_filter_means_the_same_to_an_index_and_to_a_socket(
        members in prop::collection::vec(prop::collection::btree_set(0..5_u8, 0..4), 1..6),
        rooms in prop::collection::vec(0..5_u8, 0..3),
        except in prop::collection::vec(0..5_u8, 0..3),
    ) {
        let name = |room: &u8| alloc::format!("room {room}");
        let filter = Filter {
            rooms: rooms.iter().map(name).collect(),
            except: except.iter().map(name).collect(),
        };
        let mut index = Rooms::default();
        for (socket, rooms) in members.iter().enumerate() {
            index.insert("/", socket);
            index.join("/", &alloc::format!("id {socket}"), socket);
            for room in rooms {
                index.join("/", &name(room), socket);
            }
        }
        let expect: Vec<usize> = members
            .iter()
            .enumerate()
            .filter(|(_, rooms)| filter.matches(|room| rooms.iter().any(|it| name(it) == room)))
            .map(|(socket, _)| socket)
            .collect();
        prop_assert_eq!(index.select("/", &filter), expect);
        prop_assert_eq!(index.select("/elsewhere", &filter), Vec::<usize>::new());
    }
}
