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

fn name() -> impl Strategy<Value = String> {
    ".{0,6}".prop_filter("not reserved", |name| !RESERVED_NAMES.contains(&&**name))
}

proptest! {
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
