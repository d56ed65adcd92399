//! Packets of Socket.IO as msgpack, from the wire into the types of an
//! application and back. What lies between is not alike: Dormouse makes JSON of
//! the arguments, socketioxide leaves them as they are.

use criterion::Criterion;
use dormouse::{Binary, FromArgs};
use dormouse_codec_benches::inputs::{Inputs, Message, User};
use dormouse_codec_benches::ours::{self, Size};
use dormouse_codec_benches::peer;
use dormouse_proto::socket::Parser;
use engineioxide_core::Str;
use serde::{Deserialize, Serialize};
use socketioxide_core::Value;
use socketioxide_core::parser::Parse as _;
use socketioxide_parser_msgpack::MsgPackParser;

use super::pair;

pub fn benches(criterion: &mut Criterion) {
    let inputs = Inputs::load();
    let greeting = (inputs.greeting.clone(),);
    values::<(String,), (String,)>(criterion, "event", &greeting, &greeting);
    let user = (inputs.room.clone(), inputs.user.clone());
    values::<(String, User), (String, User)>(criterion, "event, user", &user, &user);
    let bytes = inputs.attachment();
    values::<(String, Binary), (String, bytes::Bytes)>(
        criterion,
        "event, bytes",
        &(inputs.room.clone(), Binary(bytes.clone())),
        &(inputs.room.clone(), peer::shared_bytes(&bytes)),
    );
    let text = (inputs.ascii(),);
    values::<(String,), (String,)>(criterion, "event, 10 KB of ASCII", &text, &text);
}

fn values<O, P>(criterion: &mut Criterion, name: &str, ours: &O, peers: &P)
where
    O: FromArgs + Size + Serialize,
    P: for<'de> Deserialize<'de> + Size + Serialize,
{
    let peer_client = peer::Client::<MsgPackParser>::default();
    let packet = peer::event(
        Str::from("/"),
        None,
        peer_client.value(Some("message"), peers),
    );
    let Value::Bytes(bytes) = MsgPackParser.encode(packet) else {
        panic!("msgpack is bytes");
    };
    let message = Message {
        text: String::new(),
        attachments: vec![bytes.to_vec()],
    };
    let shared = peer::Shared::from(&message);
    let mut client = ours::Client::new(Parser::MSGPACK);
    pair(
        criterion,
        &format!("msgpack {name}: decode with arguments"),
        || client.decode_args::<O>(&message),
        || shared.clone(),
        |message| peer_client.decode_args::<P>(message),
    );
    pair(
        criterion,
        &format!("msgpack {name}: encode with arguments"),
        || ours::encode_args("/", None, "message", ours, Parser::MSGPACK),
        || Str::from("/"),
        |namespace| peer_client.encode_args(namespace, None, "message", peers),
    );
}
