//! The inputs, made from `inputs.json`, which the JavaScript parsers are measured
//! with too.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An object among the arguments of an event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub tags: Vec<String>,
    pub online: bool,
}

/// What a client says of itself when it connects.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Auth {
    pub token: String,
}

/// A Socket.IO packet as it travels: its text, and its attachments.
#[derive(Clone, Debug)]
pub struct Message {
    pub text: String,
    pub attachments: Vec<Vec<u8>>,
}

/// What `inputs.json` holds.
#[derive(Clone, Debug, Deserialize)]
pub struct Inputs {
    pub greeting: String,
    pub room: String,
    pub namespace: String,
    pub ack: u32,
    pub auth: Auth,
    pub user: User,
    ascii: String,
    unicode: String,
    large: usize,
    attachment: usize,
    pub payloads: Vec<usize>,
}

impl Inputs {
    pub fn load() -> Self {
        serde_json::from_str(include_str!("../inputs.json")).expect("the inputs are valid")
    }

    /// ASCII text of 10 KB.
    pub fn ascii(&self) -> String {
        self.repeated(&self.ascii)
    }

    /// As much text in many scripts.
    pub fn unicode(&self) -> String {
        self.repeated(&self.unicode)
    }

    fn repeated(&self, unit: &str) -> String {
        unit.repeat(self.large / unit.len())
    }

    /// 10 KB of objects.
    pub fn users(&self) -> Vec<User> {
        let user = serde_json::to_string(&self.user).expect("a user is JSON");
        vec![self.user.clone(); self.large / user.len()]
    }

    /// Bytes that are no text.
    pub fn attachment(&self) -> Vec<u8> {
        (0..self.attachment).map(|at| (at * 31 + 7) as u8).collect()
    }

    /// So many messages of Engine.IO, every fourth with bytes if so asked.
    pub fn messages(&self, count: usize, text: Text, bytes: bool) -> Vec<Content> {
        let words = match text {
            Text::Ascii => &self.greeting,
            Text::Unicode => &self.unicode,
        };
        (0..count)
            .map(|at| match bytes && at % 4 == 3 {
                true => Content::Bytes(self.attachment()),
                false => Content::Text(format!("2[\"message\",\"{words} {at}\"]")),
            })
            .collect()
    }
}

/// Which text messages are made of.
#[derive(Clone, Copy, Debug)]
pub enum Text {
    Ascii,
    Unicode,
}

/// A message of Engine.IO.
#[derive(Clone, Debug)]
pub enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

/// The text of an event, its arguments behind its name.
pub fn event(head: &str, name: &str, args: &[Value]) -> String {
    let mut items = vec![Value::from(name)];
    items.extend_from_slice(args);
    format!("{head}{}", Value::from(items))
}

/// What stands for an attachment.
pub fn placeholder(num: usize) -> Value {
    serde_json::json!({ "_placeholder": true, "num": num })
}
