//! What clients say.

use dormouse_proto::engine::Data;
use dormouse_proto::socket::{Parser, Protocol};

use super::super::bytes::Bytes;

/// A message that a client may well send.
pub(super) fn read_message(
    bytes: &mut Bytes<'_>,
    parser: Parser,
    protocol: Protocol,
    namespace: &str,
) -> Data<'static> {
    let choice = bytes.byte();
    let prefix = if namespace == "/" {
        String::new()
    } else {
        format!("{namespace},")
    };
    if parser == Parser::MSGPACK {
        return Data::from(write_msgpack(choice, namespace, bytes.byte()));
    }
    Data::from(match choice & 15 {
        0..=3 => format!("0{prefix}"),
        4 if protocol == Protocol::V4 => format!("0{namespace}?token=1,"),
        4 => format!("0{prefix}{{\"token\":1}}"),
        5 => format!("1{prefix}"),
        6 | 7 => format!("2{prefix}[\"event\",{choice}]"),
        8 => format!("2{prefix}{choice}[\"event\"]"),
        9 | 10 => format!(
            "3{prefix}{}[{choice}]",
            u32::from(bytes.byte()) << 23 | u32::from(bytes.byte())
        ),
        11 => format!("51-{prefix}[\"event\",{{\"_placeholder\":true,\"num\":0}}]"),
        12 => format!("62-{prefix}{choice}[{{\"_placeholder\":true,\"num\":1}}]"),
        13 => format!("2{prefix}[\"disconnect\"]"),
        _ => return Data::from(vec![choice; usize::from(choice >> 4)]),
    })
}

fn write_msgpack(choice: u8, namespace: &str, id: u8) -> Vec<u8> {
    let mut message = vec![0x83, 0xa4];
    message.extend(b"type");
    message.push([0, 0, 1, 2, 3][usize::from(choice) % 5]);
    message.push(0xa3);
    message.extend(b"nsp");
    message.push(0xa0 | namespace.len() as u8);
    message.extend(namespace.bytes());
    match choice % 5 {
        0..=2 => message[0] = 0x82,
        3 => message.extend(b"\xa4data\x92\xa1e\xc4\x01!"),
        _ => {
            message[0] = 0x84;
            message.extend(b"\xa4data\x91\xc0\xa2id");
            message.push(id & 0x7f);
        }
    }
    message
}
