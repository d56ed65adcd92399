//! Answers: what has come of a request, and why one is refused.

use dormouse_proto::Base64;
use dormouse_proto::cluster::Missing;
use dormouse_proto::socket::{disarm, msgpack_from_json, placeholders};

use super::body::renumber;
use crate::port::{Answer, Asked, Remote};
use crate::sid::Sid;

/// The form of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    MsgPack,
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::MsgPack => "application/msgpack",
        }
    }
}

/// A request, or one of a batch, that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) code: &'static str,
    /// The field that is wrong, such as `operations[3].emit.event`.
    pub(super) field: Option<String>,
    pub(super) message: String,
}

impl Refused {
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            field: None,
            message: message.into(),
        }
    }

    /// Returns what is wrong with a field.
    pub(super) fn field(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: Some(name.into()),
            ..Self::new(400, "invalid", message)
        }
    }

    /// Returns it as JSON: `{"error":{…}}`.
    pub(super) fn to_json(&self) -> String {
        let mut json = format!("{{\"error\":{{\"code\":\"{}\"", self.code);
        if let Some(field) = &self.field {
            json.push_str(",\"field\":");
            json.push_str(&quoted(field));
        }
        json.push_str(",\"message\":");
        json.push_str(&quoted(&self.message));
        json.push_str("}}");
        json
    }
}

/// What has come of an operation.
pub(super) enum Outcome {
    Done,
    Acks(Vec<Asked>),
    Count(usize),
    /// Sockets, and the id after which the next page begins.
    Sockets(Vec<Remote>, Option<String>),
    /// Rooms and the number of sockets in each, and the name after which the next page
    /// begins.
    Rooms(Vec<(String, usize)>, Option<String>),
}

/// The same, and what has no part in it.
pub(super) struct Answered {
    pub(super) outcome: Outcome,
    pub(super) missing: Missing,
}

/// An answer that is being written.
pub(super) struct Writer {
    format: Format,
    json: String,
    /// In msgpack, all attachments that the text has placeholders for.
    attachments: Vec<Vec<u8>>,
}

impl Writer {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            json: String::new(),
            attachments: Vec::new(),
        }
    }

    /// Returns the bytes of the body.
    pub(super) fn finish(self) -> Vec<u8> {
        match self.format {
            Format::Json => self.json.into_bytes(),
            Format::MsgPack => msgpack_from_json(&self.json, &self.attachments),
        }
    }

    /// Writes what has come of a batch.
    pub(super) fn results(&mut self, results: &[Result<Answered, Refused>]) {
        self.json.push_str("{\"results\":");
        self.list(results, |writer, result| match result {
            Ok(answered) => writer.answer(answered),
            Err(refused) => writer.json.push_str(&refused.to_json()),
        });
        self.json.push('}');
    }

    /// Writes what has come of an operation.
    pub(super) fn answer(&mut self, answered: &Answered) {
        self.json.push('{');
        match &answered.outcome {
            Outcome::Done => {}
            Outcome::Acks(acks) => self.acks(acks),
            Outcome::Count(count) => {
                self.json.push_str("\"count\":");
                self.json.push_str(&count.to_string());
                self.json.push(',');
            }
            Outcome::Sockets(sockets, next) => {
                self.json.push_str("\"sockets\":");
                self.list(sockets, Self::socket);
                self.next(next.as_deref());
            }
            Outcome::Rooms(rooms, next) => {
                self.json.push_str("\"rooms\":");
                self.list(rooms, |writer, (name, sockets)| {
                    let name = quoted(name);
                    let room = format!("{{\"name\":{name},\"sockets\":{sockets}}}");
                    writer.json.push_str(&room);
                });
                self.next(next.as_deref());
            }
        }
        self.json.push_str("\"missing\":");
        self.list(&missing(&answered.missing), |writer, name| {
            writer.json.push_str(&quoted(name));
        });
        self.json.push('}');
    }

    fn acks(&mut self, acks: &[Asked]) {
        let answers: Vec<_> = acks
            .iter()
            .filter_map(|asked| match &asked.answer {
                Answer::Args(args) => Some((&asked.id, args)),
                Answer::Late | Answer::Gone => None,
            })
            .collect();
        self.json.push_str("\"answers\":");
        self.list(&answers, |writer, (id, args)| {
            writer.json.push_str("{\"id\":");
            writer.json.push_str(&quoted(id));
            writer.json.push_str(",\"args\":");
            writer.args(args.json(), args.attachments());
            writer.json.push('}');
        });
        for (name, is_named) in [
            (",\"late\":", is_late as fn(&Asked) -> bool),
            (",\"gone\":", is_gone),
        ] {
            let named: Vec<_> = acks.iter().filter(|asked| is_named(asked)).collect();
            self.json.push_str(name);
            self.list(&named, |writer, asked| {
                writer.json.push_str(&quoted(&asked.id));
            });
        }
        self.json.push(',');
    }

    /// Writes arguments. In JSON, their attachments come behind them.
    fn args(&mut self, json: &str, attachments: &[Vec<u8>]) {
        match self.format {
            Format::Json => {
                self.json.push_str(json);
                if !attachments.is_empty() {
                    self.json.push_str(",\"attachments\":");
                    self.list(attachments, |writer, bytes| {
                        writer.json.push('"');
                        Base64::Standard.push(bytes, &mut writer.json);
                        writer.json.push('"');
                    });
                }
            }
            Format::MsgPack => {
                let first = self.attachments.len();
                let mut all = placeholders(json);
                all.retain(|it| it.num.is_some_and(|num| num < attachments.len()));
                let (text, places) = renumber(json, all, |num| first.saturating_add(num));
                // What looks like one of another answer's is none.
                self.json.push_str(&disarm(&text, &places));
                self.attachments.extend_from_slice(attachments);
            }
        }
    }

    fn socket(&mut self, socket: &Remote) {
        self.json.push_str("{\"id\":");
        self.json.push_str(&quoted(&socket.id));
        self.json.push_str(",\"rooms\":");
        self.list(&socket.rooms, |writer, room| {
            writer.json.push_str(&quoted(room));
        });
        self.json.push_str(",\"data\":");
        self.json.push_str(socket.data.as_deref().unwrap_or("null"));
        self.json.push('}');
    }

    fn next(&mut self, next: Option<&str>) {
        self.json.push_str(",\"next\":");
        match next {
            Some(next) => self.json.push_str(&quoted(next)),
            None => self.json.push_str("null"),
        }
        self.json.push(',');
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.json.push('[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.json.push(',');
            }
            write(self, item);
        }
        self.json.push(']');
    }
}

/// Returns the names of what has not answered: objects by their ids, as far as they are
/// named, and hubs by their numbers.
fn missing(missing: &Missing) -> Vec<String> {
    let objects = missing.nodes.iter();
    let objects = objects.map(|node| Sid::of_object(node.0).object());
    let unnamed = (missing.count as usize).saturating_sub(missing.nodes.len());
    let unnamed = (unnamed > 0).then(|| format!("{unnamed} others"));
    let hubs = missing.hubs.iter().map(|hub| format!("hub {}", hub.0));
    let late = missing.is_late.then(|| "all".to_owned());
    objects.chain(unnamed).chain(hubs).chain(late).collect()
}

fn is_late(asked: &Asked) -> bool {
    matches!(asked.answer, Answer::Late)
}

fn is_gone(asked: &Asked) -> bool {
    matches!(asked.answer, Answer::Gone)
}

/// Returns a text as JSON.
pub(super) fn quoted(text: &str) -> String {
    // A string can always be written.
    serde_json::to_string(text).unwrap_or_default()
}
