//! The Rust client of Socket.IO against a server: all that it can, in a row.
//!
//! Usage: `dormouse-rust-client polling|websocket|upgrade URL`

use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rust_socketio::{ClientBuilder, Payload, RawClient, TransportType, client::Client};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(10);

fn main() {
    let mut args = std::env::args().skip(1);
    let transport = match args.next().as_deref() {
        Some("polling") => TransportType::Polling,
        Some("websocket") => TransportType::Websocket,
        _ => TransportType::Any,
    };
    let url = args.next().expect("a URL");

    let (client, events) = connect(&url, "/", transport.clone());
    assert_eq!(
        next(&events, "auth"),
        Said::Text(vec![json!({ "name": "ada" })])
    );
    text(&client, &events);
    if matches!(transport, TransportType::Polling) {
        // By WebSocket this client hears none, from no server.
        binary(&client, &events);
    }
    acknowledgement(&client);
    client.disconnect().expect("a disconnection");

    let (client, events) = connect(&url, "/custom", transport);
    assert_eq!(
        next(&events, "auth"),
        Said::Text(vec![json!({ "name": "ada" })])
    );
    text(&client, &events);
    client.disconnect().expect("a disconnection");
}

/// What an event brought.
#[derive(Debug, PartialEq)]
enum Said {
    Text(Vec<Value>),
    Binary(Vec<u8>),
}

type Events = Receiver<(String, Said)>;

fn connect(url: &str, namespace: &str, transport: TransportType) -> (Client, Events) {
    let (sender, events) = channel();
    let client = ClientBuilder::new(format!("{url}/io/"))
        .namespace(namespace)
        .transport_type(transport)
        .reconnect(false)
        .auth(json!({ "name": "ada" }))
        .on_any(move |event, payload, _client: RawClient| {
            let said = match payload {
                Payload::Text(values) => Said::Text(values),
                Payload::Binary(bytes) => Said::Binary(bytes.to_vec()),
                #[allow(deprecated)]
                Payload::String(text) => Said::Text(vec![Value::String(text)]),
            };
            let _ = sender.send((event.to_string(), said));
        })
        .connect()
        .expect("a connection");
    (client, events)
}

fn next(events: &Events, name: &str) -> Said {
    loop {
        let (event, said) = events.recv_timeout(PATIENCE).expect(name);
        if event == name {
            return said;
        }
    }
}

fn text(client: &Client, events: &Events) {
    for value in [json!("é 🦔 \u{2028}"), json!({ "a": [1, null, true] })] {
        client.emit("message", value.clone()).expect("an event");
        assert_eq!(next(events, "message-back"), Said::Text(vec![value]));
    }
}

fn binary(client: &Client, events: &Events) {
    let bytes: Vec<u8> = (0..=255).collect();
    client.emit("message", bytes.clone()).expect("an event");
    assert_eq!(next(events, "message-back"), Said::Binary(bytes));
}

fn acknowledgement(client: &Client) {
    let (sender, answers) = channel();
    let answered = move |payload, _client: RawClient| {
        if let Payload::Text(values) = payload {
            let _ = sender.send(values);
        }
    };
    client
        .emit_with_ack("typed", vec![json!("a"), json!(5)], PATIENCE, answered)
        .expect("an event");
    let values = answers.recv_timeout(PATIENCE).expect("an acknowledgement");
    assert_eq!(values, [json!(["a:5"])]);
}
