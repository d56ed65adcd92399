//! Packets of Socket.IO, as text with attachments behind it.

use criterion::Criterion;
use dormouse::{Binary, FromArgs};
use dormouse_codec_benches::inputs::{Auth, Inputs, Message, User, event, placeholder};
use dormouse_codec_benches::ours::{self, Outgoing, Size};
use dormouse_codec_benches::peer;
use dormouse_proto::socket::{Args, Parser};
use engineioxide_core::Str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide_core::packet::Packet;
use socketioxide_parser_common::CommonParser;

use super::pair;

/// An event, and what it is measured as.
struct Case<'a> {
    name: &'a str,
    namespace: &'static str,
    ack: Option<u32>,
    event: &'a str,
    args: Vec<Value>,
    attachments: Vec<Vec<u8>>,
}

type Photo<B> = (String, B);
type Photos<B> = (String, B, B, B);

pub fn benches(criterion: &mut Criterion) {
    let inputs = Inputs::load();
    events(criterion, &inputs);
    large(criterion, &inputs);
    binary(criterion, &inputs);
    acks(criterion, &inputs);
    connect(criterion, &inputs);
}

fn events(criterion: &mut Criterion, inputs: &Inputs) {
    let plain = Case {
        name: "event",
        namespace: "/",
        ack: None,
        event: "message",
        args: vec![inputs.greeting.clone().into()],
        attachments: Vec::new(),
    };
    plain.packets(criterion);
    plain.values::<(String,), (String,)>(
        criterion,
        &(inputs.greeting.clone(),),
        &(inputs.greeting.clone(),),
    );
    let acknowledged = Case {
        name: "event, namespace and ack",
        namespace: "/chat",
        ack: Some(inputs.ack),
        event: "move",
        args: vec![inputs.room.clone().into(), json!(inputs.user)],
        attachments: Vec::new(),
    };
    acknowledged.packets(criterion);
    let values = (inputs.room.clone(), inputs.user.clone());
    acknowledged.values::<(String, User), (String, User)>(criterion, &values, &values);
}

fn large(criterion: &mut Criterion, inputs: &Inputs) {
    for (name, text) in [
        ("event, 10 KB of ASCII", inputs.ascii()),
        ("event, 10 KB of Unicode", inputs.unicode()),
    ] {
        let case = Case {
            name,
            namespace: "/",
            ack: None,
            event: "message",
            args: vec![text.clone().into()],
            attachments: Vec::new(),
        };
        case.packets(criterion);
        case.values::<(String,), (String,)>(criterion, &(text.clone(),), &(text.clone(),));
    }
    let case = Case {
        name: "event, 10 KB of objects",
        namespace: "/",
        ack: None,
        event: "users",
        args: vec![inputs.room.clone().into(), json!(inputs.users())],
        attachments: Vec::new(),
    };
    case.packets(criterion);
    let values = (inputs.room.clone(), inputs.users());
    case.values::<(String, Vec<User>), (String, Vec<User>)>(criterion, &values, &values);
}

fn binary(criterion: &mut Criterion, inputs: &Inputs) {
    let bytes = inputs.attachment();
    let one = Case {
        name: "binary event, 1 attachment",
        namespace: "/",
        ack: None,
        event: "photo",
        args: vec![inputs.room.clone().into(), placeholder(0)],
        attachments: vec![bytes.clone()],
    };
    one.packets(criterion);
    let (room, ours) = (inputs.room.clone(), Binary(bytes.clone()));
    let peers = peer::shared_bytes(&bytes);
    one.values::<Photo<Binary>, Photo<bytes::Bytes>>(
        criterion,
        &(room.clone(), ours.clone()),
        &(room.clone(), peers.clone()),
    );
    let three = Case {
        name: "binary event, 3 attachments",
        args: (0..3).fold(vec![room.clone().into()], |mut args, num| {
            args.push(placeholder(num));
            args
        }),
        attachments: vec![bytes; 3],
        ..one
    };
    three.packets(criterion);
    three.values::<Photos<Binary>, Photos<bytes::Bytes>>(
        criterion,
        &(room.clone(), ours.clone(), ours.clone(), ours),
        &(room, peers.clone(), peers.clone(), peers),
    );
}

impl Case<'_> {
    fn message(&self) -> Message {
        let (kind, count) = match self.attachments.len() {
            0 => ("2", String::new()),
            count => ("5", format!("{count}-")),
        };
        let namespace = match self.namespace {
            "/" => String::new(),
            namespace => format!("{namespace},"),
        };
        let ack = self.ack.map_or(String::new(), |ack| ack.to_string());
        let head = format!("{kind}{count}{namespace}{ack}");
        Message {
            text: event(&head, self.event, &self.args),
            attachments: self.attachments.clone(),
        }
    }

    /// The packets alone: the arguments are text before and after.
    fn packets(&self, criterion: &mut Criterion) {
        let message = self.message();
        let shared = peer::Shared::from(&message);
        let mut client = ours::Client::new(Parser::JSON);
        let peer_client = peer::Client::<CommonParser>::default();
        pair(
            criterion,
            &format!("socket {}: decode", self.name),
            || client.decode(&message),
            || shared.clone(),
            |message| peer_client.decode(message),
        );
        let args = Args::new(event("", self.event, &self.args), self.attachments.clone());
        let outgoing = Outgoing::new(self.namespace, self.ack, args);
        let bytes = self.attachments.iter();
        let bytes = bytes.map(|bytes| peer::shared_bytes(bytes)).collect();
        let value = socketioxide_core::Value::Str(
            peer::shared(&event("", self.event, &self.args)),
            Some(bytes).filter(|_| !self.attachments.is_empty()),
        );
        let packet = peer::event(Str::from(self.namespace), self.ack, value);
        pair(
            criterion,
            &format!("socket {}: encode", self.name),
            || outgoing.encode_event(Parser::JSON),
            || packet.clone(),
            |packet| peer_client.encode(packet),
        );
    }

    /// From the wire into the types of an application, and back.
    fn values<O, P>(&self, criterion: &mut Criterion, ours: &O, peers: &P)
    where
        O: FromArgs + Size + Serialize,
        P: for<'de> Deserialize<'de> + Size + Serialize,
    {
        let message = self.message();
        let shared = peer::Shared::from(&message);
        let mut client = ours::Client::new(Parser::JSON);
        let peer_client = peer::Client::<CommonParser>::default();
        pair(
            criterion,
            &format!("socket {}: decode with arguments", self.name),
            || client.decode_args::<O>(&message),
            || shared.clone(),
            |message| peer_client.decode_args::<P>(message),
        );
        pair(
            criterion,
            &format!("socket {}: encode with arguments", self.name),
            || ours::encode_args(self.namespace, self.ack, self.event, ours, Parser::JSON),
            || Str::from(self.namespace),
            |namespace| peer_client.encode_args(namespace, self.ack, self.event, peers),
        );
    }
}

fn acks(criterion: &mut Criterion, inputs: &Inputs) {
    let json = Value::from(vec![inputs.room.clone().into(), json!(inputs.user)]).to_string();
    let message = Message {
        text: format!("3/chat,{}{json}", inputs.ack),
        attachments: Vec::new(),
    };
    let shared = peer::Shared::from(&message);
    let mut client = ours::Client::new(Parser::JSON);
    let peer_client = peer::Client::<CommonParser>::default();
    pair(
        criterion,
        "socket ack: decode with arguments",
        || client.decode_args::<(String, User)>(&message),
        || shared.clone(),
        |message| peer_client.decode_args::<(String, User)>(message),
    );
    let outgoing = Outgoing::new("/chat", Some(inputs.ack), Args::new(&*json, Vec::new()));
    let value = socketioxide_core::Value::Str(peer::shared(&json), None);
    let packet = Packet::ack("/chat", value, inputs.ack.into());
    pair(
        criterion,
        "socket ack: encode",
        || outgoing.encode_ack(Parser::JSON),
        || packet.clone(),
        |packet| peer_client.encode(packet),
    );
}

fn connect(criterion: &mut Criterion, inputs: &Inputs) {
    let auth: &Auth = &inputs.auth;
    let message = Message {
        text: format!("0/chat,{}", json!(auth)),
        attachments: Vec::new(),
    };
    let shared = peer::Shared::from(&message);
    let mut client = ours::Client::new(Parser::JSON);
    let peer_client = peer::Client::<CommonParser>::default();
    pair(
        criterion,
        "socket connect: decode with auth",
        || client.decode_auth(&message),
        || shared.clone(),
        |message| peer_client.decode_auth(message),
    );
    let sid = peer::Connected {
        sid: "wZX3oN0bSVIhsaknAAAI".to_owned(),
    };
    pair(
        criterion,
        "socket connect: encode",
        || ours::encode_connect("/chat", &sid.sid, Parser::JSON),
        || Str::from("/chat"),
        |namespace| peer_client.encode_connect(namespace, &sid),
    );
}
