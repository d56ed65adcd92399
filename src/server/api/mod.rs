//! The interface of applications: servers and their handlers, and the handles
//! through which they talk to clients.
//!
//! It reaches everything else through a [`Port`](crate::port::Port). The root of the
//! crate re-exports what an application uses.

mod ack;
mod acks;
mod alarm;
pub(crate) mod app;
mod application;
mod args;
mod broadcast;
pub(crate) mod client;
mod context;
mod data;
mod definition;
mod emit_error;
mod encode;
pub(crate) mod endpoint;
pub mod engine;
pub(crate) mod error;
mod event;
mod extract;
pub mod handler;
mod io;
mod join_request;
mod namespace;
mod parent;
mod partial;
mod pattern;
mod recovery;
mod remote_socket;
mod rewrite;
mod room_names;
mod server;
mod server_event;
mod socket;
mod task;
mod traced;
pub(crate) mod usage;

pub use self::ack::Ack;
pub use self::acks::{AckError, Acked, Acks};
pub use self::alarm::{Alarm, AlarmError, When};
pub use self::args::{Args, ArgsError, Arguments, Binary, FromArgs};
pub use self::broadcast::{Broadcast, Room};
pub use self::emit_error::EmitError;
pub use self::event::Event;
pub use self::extract::{Auth, EventName, Expired, Recovered, State};
pub use self::io::{Io, WeakIo};
pub use self::join_request::JoinRequest;
pub use self::namespace::{Group, Namespace};
pub use self::parent::ParentNamespace;
pub use self::partial::{Gathered, Missing};
pub use self::recovery::Recovery;
pub use self::remote_socket::RemoteSocket;
pub use self::rewrite::Rewrite;
pub use self::room_names::RoomNames;
pub use self::server::Server;
pub use self::socket::{Socket, Timed, WeakSocket};
pub use self::task::SpawnError;

pub(crate) use self::alarm::AlarmHandlers;
pub(crate) use self::application::{Application, Found, LookUp};
pub(crate) use self::args::describe;
pub(crate) use self::context::{
    AdmitContext, AlarmContext, CheckContext, CloseContext, ConnectContext, DisconnectContext,
    EngineAlarmContext, EngineUsageContext, EventContext, ExpireContext, JoinContext,
    MessageContext, NamespaceContext, OpenContext, Place, RewriteContext, ServerEventContext,
    UsageContext,
};
pub(crate) use self::encode::Replied;
pub(crate) use self::extract::States;
pub(crate) use self::handler::{Call, HandlerFn, erase};
pub(crate) use self::namespace::{BeforeFn, DisconnectFn, EventFn, NamespaceHandlers};
pub(crate) use self::pattern::Pattern;
