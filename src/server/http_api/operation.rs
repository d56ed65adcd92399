//! What is asked for: one operation on sockets, or a batch of them. All of it is checked
//! before anything of it is done.

use std::rc::Rc;

use dormouse_proto::socket::{Args, Filter, ROOT};
use serde_json::value::RawValue;

use super::answer::Refused;
use super::body::{self, Attachments, Body};
use super::fields::{self, Fields};
use super::{MAX_BATCH, MAX_PAGE, MAX_ROOMS, MAX_TIMEOUT, PAGE};
use crate::api::{self, Application, Arguments, EmitError};
use crate::options::Options;
use crate::placement::Placement;
use crate::port::remote::RemotePort;
use crate::port::{self, Page, Selection, Target};

/// An operation on sockets that can be carried out.
pub(super) struct Operation {
    /// The key by which they are placed.
    pub(super) key: Option<String>,
    pub(super) selection: Selection,
    pub(super) what: What,
}

/// What is done with them.
pub(super) enum What {
    Emit {
        args: Args<'static>,
        volatile: bool,
    },
    /// The number of milliseconds is that to wait.
    Ask(Args<'static>, u64),
    Join(Vec<String>),
    Leave(Vec<String>),
    Disconnect {
        close: bool,
    },
    Count,
    Sockets(Page),
    Rooms(Page),
}

impl What {
    pub(super) fn into_operation(self) -> port::Operation {
        match self {
            Self::Emit { args, volatile } => port::Operation::Emit { args, volatile },
            Self::Ask(args, timeout) => port::Operation::EmitWithAck { args, timeout },
            Self::Join(rooms) => port::Operation::Join(rooms),
            Self::Leave(rooms) => port::Operation::Leave(rooms),
            Self::Disconnect { close } => port::Operation::Disconnect { close },
            Self::Count => port::Operation::Count,
            Self::Sockets(page) => port::Operation::Fetch(Some(page)),
            Self::Rooms(page) => port::Operation::Rooms(Some(page)),
        }
    }
}

/// The kinds of operations, as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Emit,
    Join,
    Leave,
    Disconnect,
    Sockets,
    Rooms,
}

impl Kind {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "emit" => Self::Emit,
            "join" => Self::Join,
            "leave" => Self::Leave,
            "disconnect" => Self::Disconnect,
            "sockets" => Self::Sockets,
            "rooms" => Self::Rooms,
            _ => return None,
        })
    }
}

/// The server that operations are checked for.
pub(super) struct Checks {
    pub(super) application: Rc<Application>,
    pub(super) options: Rc<Options>,
    pub(super) port: RemotePort,
}

impl Checks {
    /// Reads the operation in a body.
    pub(super) fn operation(&self, kind: Kind, body: Body) -> Result<Operation, Refused> {
        let Body {
            json,
            mut attachments,
        } = body;
        self.read(kind, Fields::of_body(&json)?, &mut attachments)
    }

    /// Reads the operations of a batch: `{"operations":[{"emit":{…}}, …]}`.
    pub(super) fn batch(&self, body: Body) -> Result<Vec<Operation>, Refused> {
        let Body {
            json,
            mut attachments,
        } = body;
        let mut fields = Fields::of_body(&json)?;
        let (name, raw) = fields.need("operations")?;
        fields.finish()?;
        let mut operations = Vec::new();
        let mut waits = 0_u64;
        for (name, raw) in fields::items(&name, raw, MAX_BATCH)? {
            let (kind, whole, raw) = only(&name, raw)?;
            let operation = self.read(kind, Fields::of(whole.clone(), raw)?, &mut attachments)?;
            if let What::Ask(_, timeout) = operation.what {
                waits = waits.saturating_add(timeout);
            }
            if waits > MAX_TIMEOUT {
                let message =
                    format!("makes the batch wait for more than {MAX_TIMEOUT} ms altogether");
                return Err(Refused::field(format!("{whole}.timeout"), message));
            }
            operations.push(operation);
        }
        Ok(operations)
    }

    fn read(
        &self,
        kind: Kind,
        mut fields: Fields<'_>,
        attachments: &mut Attachments,
    ) -> Result<Operation, Refused> {
        let key = fields.text("key")?;
        let key_name = fields.name("key");
        let namespace_name = fields.name("namespace");
        let selection = Selection {
            namespace: fields.text("namespace")?.unwrap_or_else(|| ROOT.to_owned()),
            filter: Filter {
                rooms: fields.texts("rooms", MAX_ROOMS)?,
                except: fields.texts("except", MAX_ROOMS)?,
            },
            local: fields.flag("local")?,
        };
        if selection.local && self.options.placement.many().is_some() {
            return Err(Refused::field(
                fields.name("local"),
                "is not for this server: its sockets are in many objects, and a request from \
                 elsewhere is in none of them",
            ));
        }
        let what = match kind {
            Kind::Emit => self.emit(&mut fields, attachments)?,
            Kind::Join => What::Join(names(&mut fields, "join")?),
            Kind::Leave => What::Leave(names(&mut fields, "leave")?),
            Kind::Disconnect => What::Disconnect {
                close: fields.flag("close")?,
            },
            Kind::Sockets => sockets(&mut fields)?,
            Kind::Rooms => What::Rooms(page(&mut fields)?),
        };
        fields.finish()?;
        let operation = Operation {
            key,
            selection,
            what,
        };
        self.check(operation, key_name, namespace_name)
    }

    /// Checks that the namespace may exist and that the object is known. Takes the names
    /// of the fields that say so.
    pub(super) fn check(
        &self,
        operation: Operation,
        key_name: impl Into<String>,
        namespace_name: impl Into<String>,
    ) -> Result<Operation, Refused> {
        if !self.application.may_have(&operation.selection.namespace) {
            return Err(Refused::field(namespace_name, "is not defined"));
        }
        let is_placed = matches!(self.options.placement, Placement::Key(_));
        let port = match &operation.key {
            Some(_) if !is_placed => {
                return Err(Refused::field(
                    key_name,
                    "is not for this server: it has one object for all sockets",
                ));
            }
            Some(key) => &self.port.with_key(key),
            None => &self.port,
        };
        let target = Target::Sockets(operation.selection.clone());
        if port.check(&target).is_err() {
            return Err(Refused::field(
                key_name,
                "is missing: the server's sockets are placed by a key, and a key or the id of one \
                 socket says where",
            ));
        }
        Ok(operation)
    }

    fn emit(
        &self,
        fields: &mut Fields<'_>,
        attachments: &mut Attachments,
    ) -> Result<What, Refused> {
        let (event_name, raw) = fields.need("event")?;
        let event = fields::text(&event_name, raw)?;
        let args = match attachments {
            Attachments::OfAll(all) => arguments(fields.take("args"), all)?,
            Attachments::OfEach => {
                let name = fields.name("attachments");
                let mut own = body::attachments(fields.take("attachments"))?;
                let args = arguments(fields.take("args"), &mut own)?;
                if let Some(unnamed) = own.iter().position(Option::is_some) {
                    let name = format!("{name}[{unnamed}]");
                    return Err(Refused::field(name, "is named by no placeholder in args"));
                }
                args
            }
        };
        let args = named(args, &event).map_err(|message| Refused::field(event_name, message))?;
        let (volatile, ack) = (fields.flag("volatile")?, fields.flag("ack")?);
        let timeout_name = fields.name("timeout");
        let timeout = fields.number("timeout", MAX_TIMEOUT)?;
        match (ack, timeout) {
            (false, Some(_)) => Err(Refused::field(timeout_name, "is for ack alone")),
            (false, None) => Ok(What::Emit { args, volatile }),
            (true, _) if volatile => Err(Refused::field(
                fields.name("volatile"),
                "must not be set with ack",
            )),
            (true, timeout) => Ok(What::Ask(
                args,
                timeout.unwrap_or_else(|| self.ack_timeout()),
            )),
        }
    }

    fn ack_timeout(&self) -> u64 {
        let millis = self.application.ack_timeout.as_millis();
        u64::try_from(millis).map_or(MAX_TIMEOUT, |millis| millis.min(MAX_TIMEOUT))
    }
}

fn arguments(
    field: Option<(String, &RawValue)>,
    attachments: &mut [Option<Vec<u8>>],
) -> Result<Args<'static>, Refused> {
    match field {
        Some(field) => body::arguments(field, attachments),
        None => Ok(Args::new("[]", Vec::new())),
    }
}

/// Puts an event's name before its arguments, or says what is wrong with it.
pub(super) fn named(args: Args<'static>, event: &str) -> Result<Args<'static>, String> {
    let args = api::Args::new(args, false);
    args.encode(Some(event)).map_err(|error| {
        if let EmitError::ReservedName(_) = error {
            return "is reserved: clients would close their connections".to_owned();
        }
        error.to_string()
    })
}

/// Returns the operation in an item of a batch: its kind, whole name and fields.
fn only<'a>(name: &str, raw: &'a RawValue) -> Result<(Kind, String, &'a RawValue), Refused> {
    let fields = Fields::of(name.to_owned(), raw)?;
    let only = fields.only().ok_or_else(|| {
        Refused::field(
            name,
            "must have one member, whose name is that of an operation",
        )
    });
    let (kind, whole, raw) = only?;
    match Kind::named(&kind) {
        Some(kind) => Ok((kind, whole, raw)),
        None => Err(Refused::field(whole, "is not the name of an operation")),
    }
}

/// Reads the rooms that sockets are to enter or to leave.
fn names(fields: &mut Fields<'_>, name: &str) -> Result<Vec<String>, Refused> {
    let (name, raw) = fields.need(name)?;
    fields::texts(&name, raw, MAX_ROOMS)
}

/// Reads which sockets are to be described, if they are not only to be counted: `after`
/// and `limit` are not known then.
fn sockets(fields: &mut Fields<'_>) -> Result<What, Refused> {
    Ok(match fields.flag("count")? {
        true => What::Count,
        false => What::Sockets(page(fields)?),
    })
}

fn page(fields: &mut Fields<'_>) -> Result<Page, Refused> {
    let after = fields.text("after")?;
    let limit = fields.number("limit", MAX_PAGE as u64)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    Ok(Page {
        after,
        limit: limit.unwrap_or(PAGE),
    })
}
