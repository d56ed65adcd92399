//! Answers of back ends. All of one is read and checked before anything of it is done.

use dormouse_proto::Base64;
use dormouse_proto::socket::{Args as Raw, RESERVED_NAMES, placeholders, read_json};
use dormouse_proto::sort;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::Hook;
use super::failure::Failure;
use crate::api::{Args, describe};

/// The maximum number of actions in an answer.
const MAX_ACTIONS: usize = 100;

/// The maximum number of names in a list of rooms.
const MAX_ROOMS: usize = 1_000;

/// The answer of a back end that has done what it was asked.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The acknowledgement of an event.
    pub(super) ack: Option<Args>,
    /// What replaces the socket's data.
    pub(super) data: Option<Box<RawValue>>,
    /// The rooms that the socket enters.
    pub(super) rooms: Vec<String>,
    pub(super) actions: Vec<Action>,
}

/// The answer of a back end that has refused what it was asked.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refused {
    pub(super) message: Option<String>,
    pub(super) data: Option<Box<RawValue>>,
}

impl Refused {
    /// Reads the body of a refusal. Many servers have their own for some statuses: what
    /// cannot be read says nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        let text = core::str::from_utf8(body).unwrap_or_default();
        json(text).unwrap_or_default()
    }
}

/// Something that is done with sockets.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) target: Target,
    pub(super) what: What,
}

/// The sockets that something is done with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The one that the call is about.
    Itself,
    Others {
        /// That of the call, if it is not named.
        namespace: Option<String>,
        rooms: Vec<String>,
        except: Vec<String>,
        local: bool,
    },
}

#[derive(Debug)]
pub(super) enum What {
    Emit {
        event: String,
        args: Args,
        volatile: bool,
    },
    Join(Vec<String>),
    Leave(Vec<String>),
    Disconnect {
        close: bool,
    },
}

impl Answer {
    /// Reads the answer to a call. An empty one asks for nothing.
    pub(super) fn read(hook: Hook, body: Vec<u8>) -> Result<Self, Failure> {
        let wrong = |message: &str| Failure::Malformed(message.to_owned());
        let text = String::from_utf8(body).map_err(|_| wrong("it is not UTF-8"))?;
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let form: Form = json(&text).map_err(|error| Failure::Malformed(describe(&error)))?;
        form.check(hook)
            .and_then(|()| form.into_answer(hook))
            .map_err(Failure::Malformed)
    }
}

/// Reads JSON as leniently as JavaScript.
fn json<T: DeserializeOwned>(text: &str) -> serde_json::Result<T> {
    read_json(text, |json| serde_json::from_str(json))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    ack: Option<Box<RawValue>>,
    #[serde(default)]
    attachments: Vec<String>,
    data: Option<Box<RawValue>>,
    #[serde(default)]
    rooms: Vec<String>,
    #[serde(default)]
    actions: Vec<ActionForm>,
}

/// An action: an object whose only member says what is done.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActionForm {
    Emit(EmitForm),
    Join(JoinForm),
    Leave(LeaveForm),
    Disconnect(DisconnectForm),
}

/// Defines the forms of actions, each with members of its own, and those that say whom it
/// is for.
macro_rules! forms {
    ($($form:ident { $($(#[$attribute:meta])* $member:ident: $type:ty,)* })*) => {
        $(#[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $form {
            $($(#[$attribute])* $member: $type,)*
            namespace: Option<String>,
            rooms: Option<Vec<String>>,
            except: Option<Vec<String>>,
            #[serde(default)]
            local: bool,
        }

        impl $form {
            fn take_target(&mut self) -> Result<Target, String> {
                let lists = (self.rooms.take(), self.except.take());
                Target::new(self.namespace.take(), lists, self.local)
            }
        })*
    };
}

forms! {
    EmitForm {
        event: String,
        args: Option<Box<RawValue>>,
        #[serde(default)] attachments: Vec<String>,
        #[serde(default)] volatile: bool,
    }
    JoinForm {
        join: Vec<String>,
    }
    LeaveForm {
        leave: Vec<String>,
    }
    DisconnectForm {
        #[serde(default)] close: bool,
    }
}

impl Target {
    fn new(
        namespace: Option<String>,
        (rooms, except): (Option<Vec<String>>, Option<Vec<String>>),
        local: bool,
    ) -> Result<Self, String> {
        if namespace.is_none() && rooms.is_none() && except.is_none() {
            return Ok(Self::Itself);
        }
        let (rooms, except) = (rooms.unwrap_or_default(), except.unwrap_or_default());
        check_names("rooms", &rooms)?;
        check_names("except", &except)?;
        Ok(Self::Others {
            namespace,
            rooms,
            except,
            local,
        })
    }
}

impl Form {
    fn check(&self, hook: Hook) -> Result<(), String> {
        let allowed = match hook {
            Hook::Event => true,
            Hook::Connect => self.ack.is_none() && self.attachments.is_empty(),
            Hook::Disconnect | Hook::Expired => {
                let changes = self.data.is_some() || !self.rooms.is_empty();
                self.ack.is_none() && self.attachments.is_empty() && !changes
            }
        };
        if !allowed {
            let fields = match hook {
                Hook::Event => "ack, attachments, data, rooms and actions",
                Hook::Connect => "data, rooms and actions",
                Hook::Disconnect | Hook::Expired => "actions",
            };
            return Err(format!("to `{}` it has {fields} only", hook.as_str()));
        }
        if self.actions.len() > MAX_ACTIONS {
            return Err(format!("it has more than {MAX_ACTIONS} actions"));
        }
        check_names("rooms", &self.rooms)
    }

    fn into_answer(self, hook: Hook) -> Result<Answer, String> {
        let ack = match self.ack {
            Some(ack) => Some(acknowledgement(&ack, &self.attachments)?),
            None if self.attachments.is_empty() => None,
            None => return Err("attachments: there is no ack that names them".to_owned()),
        };
        let actions = self.actions.into_iter().enumerate();
        let actions = actions.map(|(index, form)| {
            let action = form.into_action(hook);
            action.map_err(|error| format!("actions[{index}].{error}"))
        });
        Ok(Answer {
            ack,
            data: self.data,
            rooms: self.rooms,
            actions: actions.collect::<Result<_, _>>()?,
        })
    }
}

impl ActionForm {
    /// Returns the action, or what is wrong with which member.
    fn into_action(self, hook: Hook) -> Result<Action, String> {
        let (name, (target, what)) = match self {
            Self::Emit(mut form) => ("emit", (form.take_target(), form.what())),
            Self::Join(mut form) => ("join", (form.take_target(), form.what())),
            Self::Leave(mut form) => ("leave", (form.take_target(), form.what())),
            Self::Disconnect(mut form) => ("disconnect", (form.take_target(), Ok(form.what()))),
        };
        let of_action = |error| format!("{name}.{error}");
        let (target, what) = (target.map_err(of_action)?, what.map_err(of_action)?);
        let is_gone = matches!(hook, Hook::Disconnect | Hook::Expired);
        if is_gone && target == Target::Itself {
            return Err(format!(
                "{name}: the socket has gone; say by namespace, rooms or except whom it is for"
            ));
        }
        Ok(Action { target, what })
    }
}

impl EmitForm {
    fn what(self) -> Result<What, String> {
        let event = self.event;
        if RESERVED_NAMES.contains(&&*event) {
            return Err(format!("event: `{event}` is reserved"));
        }
        let args = self.args.as_ref().map_or("[]", |args| args.get());
        Ok(What::Emit {
            args: arguments(args, &self.attachments)?,
            event,
            volatile: self.volatile,
        })
    }
}

impl JoinForm {
    fn what(self) -> Result<What, String> {
        check_names("join", &self.join)?;
        Ok(What::Join(self.join))
    }
}

impl LeaveForm {
    fn what(self) -> Result<What, String> {
        check_names("leave", &self.leave)?;
        Ok(What::Leave(self.leave))
    }
}

impl DisconnectForm {
    fn what(self) -> What {
        What::Disconnect { close: self.close }
    }
}

fn check_names(field: &str, names: &[String]) -> Result<(), String> {
    match names.len() > MAX_ROOMS {
        true => Err(format!("{field}: there are more than {MAX_ROOMS} rooms")),
        false => Ok(()),
    }
}

/// Reads an acknowledgement: an array is several values, anything else is one.
fn acknowledgement(ack: &RawValue, attachments: &[String]) -> Result<Args, String> {
    let values = match ack.get().starts_with('[') {
        true => ack.get().to_owned(),
        false => format!("[{}]", ack.get()),
    };
    arguments(&values, attachments)
}

/// Reads arguments, each of whose attachments is named once.
fn arguments(json: &str, attachments: &[String]) -> Result<Args, String> {
    if !json.starts_with('[') {
        return Err("args: it is not an array".to_owned());
    }
    let decoded: Option<Vec<_>> = attachments
        .iter()
        .map(|it| Base64::Standard.decode(it))
        .collect();
    let decoded = decoded.ok_or_else(|| "attachments: they are not base64".to_owned())?;
    if !decoded.is_empty() {
        let mut named: Vec<_> = placeholders(json).into_iter().map(|it| it.num).collect();
        sort(&mut named);
        if !named.into_iter().eq((0..decoded.len()).map(Some)) {
            return Err("attachments: not each of them is named by one placeholder".to_owned());
        }
    }
    Ok(Args::new(Raw::new(json.to_owned(), decoded), false))
}

#[cfg(test)]
mod tests;
