//! What emitters of other servers publish: npm's `@socket.io/redis-emitter`, and the
//! write-only manager of python-socketio. Both send to a channel of Redis; here, the
//! message is the body of a request, and the channel a parameter.
//!
//! - The former has a channel for each namespace, and sometimes each room. Events are
//!   msgpack, `[uid, packet, {rooms, flags, except}]`, on `socket.io#/nsp#` or
//!   `socket.io#/nsp#room#`; requests are JSON on `socket.io-request#/nsp#`.
//! - The latter sends JSON, `{"method": "emit", …}`, on a single channel.
//!
//! Members that mean nothing here are not looked at, since what these packages send is
//! theirs to change.

use dormouse_proto::Base64;
use dormouse_proto::socket::{Args, Filter, ROOT};
use serde_json::value::RawValue;

use super::answer::{Format, Refused};
use super::body::{self, Attachments, Body};
use super::fields::{self, Fields};
use super::operation::{Checks, Operation, What, named};
use super::{MAX_ATTACHMENTS, MAX_ROOMS};
use crate::port::Selection;

/// The type of an event's packet.
const EVENT: &str = "2";

/// Reads what was published on a channel, or by python-socketio if there is none.
pub(super) fn read(
    checks: &Checks,
    channel: Option<&str>,
    key: Option<String>,
    bytes: Vec<u8>,
) -> Result<Operation, Refused> {
    let (selection, what) = match channel.map(Channel::parse).transpose()? {
        None => of_python(bytes)?,
        Some(Channel::Events) => event(bytes)?,
        Some(Channel::Requests(namespace)) => request(namespace.to_owned(), bytes)?,
    };
    let operation = Operation {
        key,
        selection,
        what,
    };
    checks.check(operation, "key", "namespace")
}

/// A channel of the Redis emitter. Its beginning is up to the application.
enum Channel<'a> {
    Events,
    /// For sockets of this namespace.
    Requests(&'a str),
}

impl<'a> Channel<'a> {
    fn parse(channel: &'a str) -> Result<Self, Refused> {
        let wrong = || {
            Refused::field(
                "channel",
                "must be that of an emitter, such as `socket.io#/#`, or missing",
            )
        };
        let (prefix, rest) = channel.split_once('#').ok_or_else(wrong)?;
        let namespace = rest.strip_suffix('#').ok_or_else(wrong)?;
        if prefix.ends_with("-response") {
            return Err(wrong());
        }
        Ok(match prefix.ends_with("-request") {
            true => Self::Requests(namespace),
            false => Self::Events,
        })
    }
}

/// Reads `[uid, packet, options]`.
fn event(bytes: Vec<u8>) -> Result<(Selection, What), Refused> {
    let Body { json, attachments } = Body::read(Format::MsgPack, bytes)?;
    let mut attachments = match attachments {
        Attachments::OfAll(attachments) => attachments,
        Attachments::OfEach => Vec::new(),
    };
    let items: Vec<&RawValue> = serde_json::from_str(&json).unwrap_or_default();
    let [_uid, packet, options] = *items else {
        return Err(body::malformed(
            "the message must be an array of three: uid, packet and options",
        ));
    };
    let mut packet = Fields::of("packet".to_owned(), packet)?;
    let (name, kind) = packet.need("type")?;
    if kind.get() != EVENT {
        return Err(Refused::field(name, "must be 2: events alone are taken"));
    }
    let namespace = packet.text("nsp")?.unwrap_or_else(|| ROOT.to_owned());
    let (data_name, data) = packet.need("data")?;
    let data = body::arguments((data_name.clone(), data), &mut attachments)?;
    let data = crate::api::Args::new(data, true);
    let args = match data.event() {
        Some(event) => {
            let args = Args::new(
                format!("[{}]", data.json().join(",")),
                data.attachments().into(),
            );
            named(args, &event)
        }
        None => Err("must begin with the name of the event".to_owned()),
    };
    let args = args.map_err(|message| Refused::field(data_name, message))?;
    let mut options = Fields::of("options".to_owned(), options)?;
    let filter = filter(&mut options)?;
    let volatile = match options.take_some("flags") {
        Some((name, flags)) => Fields::of(name, flags)?.flag("volatile")?,
        None => false,
    };
    let selection = Selection {
        namespace,
        filter,
        local: false,
    };
    Ok((selection, What::Emit { args, volatile }))
}

/// Reads a request about sockets.
fn request(namespace: String, bytes: Vec<u8>) -> Result<(Selection, What), Refused> {
    let Body { json, .. } = Body::read(Format::Json, bytes)?;
    let mut fields = Fields::of_body(&json)?;
    let (type_name, kind) = fields.need("type")?;
    let filter = match fields.take_some("opts") {
        Some((name, options)) => filter(&mut Fields::of(name, options)?)?,
        None => Filter::default(),
    };
    let what = match kind.get() {
        "2" => What::Join(rooms(fields.take_some("rooms"))?),
        "3" => What::Leave(rooms(fields.take_some("rooms"))?),
        "4" => What::Disconnect {
            close: fields.flag("close")?,
        },
        "6" => {
            return Err(Refused::field(
                type_name,
                "must not be that of serverSideEmit: there are no other servers that it could reach",
            ));
        }
        _ => return Err(Refused::field(type_name, "must be 2, 3 or 4")),
    };
    let selection = Selection {
        namespace,
        filter,
        local: false,
    };
    Ok((selection, what))
}

fn filter(fields: &mut Fields<'_>) -> Result<Filter, Refused> {
    Ok(Filter {
        rooms: rooms(fields.take_some("rooms"))?,
        except: rooms(fields.take_some("except"))?,
    })
}

/// Reads a message of python-socketio's managers.
fn of_python(bytes: Vec<u8>) -> Result<(Selection, What), Refused> {
    let Body { json, .. } = Body::read(Format::Json, bytes)?;
    let mut fields = Fields::of_body(&json)?;
    let method = fields.need("method")?;
    let method = (fields::text(&method.0, method.1)?, method.0);
    let namespace = match fields.take_some("namespace") {
        Some((name, raw)) => fields::text(&name, raw)?,
        None => ROOT.to_owned(),
    };
    let in_room = |room: Option<(String, &RawValue)>| -> Result<Filter, Refused> {
        Ok(Filter {
            rooms: rooms(room)?,
            except: Vec::new(),
        })
    };
    let (filter, what) = match &*method.0 {
        "emit" => emit_of_python(&mut fields)?,
        "disconnect" => (
            in_room(Some(fields.need("sid")?))?,
            What::Disconnect { close: false },
        ),
        "enter_room" => (
            in_room(Some(fields.need("sid")?))?,
            What::Join(rooms(Some(fields.need("room")?))?),
        ),
        "leave_room" => (
            in_room(Some(fields.need("sid")?))?,
            What::Leave(rooms(Some(fields.need("room")?))?),
        ),
        "close_room" => {
            let filter = in_room(Some(fields.need("room")?))?;
            let rooms = filter.rooms.clone();
            (filter, What::Leave(rooms))
        }
        _ => {
            return Err(Refused::field(
                method.1,
                "must be emit, disconnect, enter_room, leave_room or close_room",
            ));
        }
    };
    let selection = Selection {
        namespace,
        filter,
        local: false,
    };
    Ok((selection, what))
}

fn emit_of_python(fields: &mut Fields<'_>) -> Result<(Filter, What), Refused> {
    let (event_name, raw) = fields.need("event")?;
    let event = fields::text(&event_name, raw)?;
    if let Some((name, _)) = fields.take_some("callback") {
        return Err(Refused::field(
            name,
            "must be null: nobody is there to be called; use `emit` of this API, with ack",
        ));
    }
    let filter = Filter {
        rooms: rooms(fields.take_some("room"))?,
        except: rooms(fields.take_some("skip_sid"))?,
    };
    let binary = fields
        .take_some("binary")
        .is_some_and(|(_, raw)| raw.get() == "true");
    let (data_name, data) = fields.need("data")?;
    let args = match binary {
        true => binary_of_python(data_name, data)?,
        false if data.get().starts_with('[') => body::arguments((data_name, data), &mut [])?,
        // What is not a list is a single argument.
        false => {
            let list = RawValue::from_string(format!("[{}]", data.get()));
            let list = list.map_err(|_| Refused::field(&*data_name, "must be JSON"))?;
            body::arguments((data_name, &list), &mut [])?
        }
    };
    let args = named(args, &event).map_err(|message| Refused::field(event_name, message))?;
    let volatile = false;
    Ok((filter, What::Emit { args, volatile }))
}

/// Reads arguments, and behind them in the same list their attachments as base64.
fn binary_of_python(name: String, data: &RawValue) -> Result<Args<'static>, Refused> {
    let mut items = fields::items(&name, data, MAX_ATTACHMENTS + 1)?.into_iter();
    let args = items
        .next()
        .ok_or_else(|| Refused::field(name, "must not be empty"))?;
    let attachments = items.map(|(name, raw)| {
        let text = fields::text(&name, raw)?;
        let bytes = Base64::Standard.decode(&text);
        bytes
            .map(Some)
            .ok_or_else(|| Refused::field(name, "must be base64"))
    });
    let mut attachments = attachments.collect::<Result<Vec<_>, _>>()?;
    body::arguments(args, &mut attachments)
}

/// Reads a room, or a list of them. A number stands for the room of its digits.
fn rooms(field: Option<(String, &RawValue)>) -> Result<Vec<String>, Refused> {
    let Some((name, raw)) = field else {
        return Ok(Vec::new());
    };
    if !raw.get().starts_with('[') {
        return Ok(vec![room(&name, raw)?]);
    }
    let items = fields::items(&name, raw, MAX_ROOMS)?.into_iter();
    items.map(|(name, raw)| room(&name, raw)).collect()
}

fn room(name: &str, raw: &RawValue) -> Result<String, Refused> {
    match raw
        .get()
        .starts_with(|first: char| first == '-' || first.is_ascii_digit())
    {
        true => Ok(raw.get().to_owned()),
        false => fields::text(name, raw),
    }
}
