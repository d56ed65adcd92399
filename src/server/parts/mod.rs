//! The parts that an object is made of, whatever its sessions speak.
//!
//! No part knows a layer or the object itself. A part is given what it needs of the
//! others, and reports through a trait of its own.

mod alarms;
mod attachment;
mod budget;
mod clock;
mod custody_rows;
mod effects;
mod handover;
mod hub_count_rows;
mod hub_rows;
mod intake;
mod log_rows;
pub(crate) mod opening;
mod packet;
pub(crate) mod placing;
mod recovery_rows;
mod repeats;
mod requests;
mod row_budget;
mod rows;
mod runner;
mod sessions;
mod set;
mod sql;
mod tasks;
mod turn;
mod websockets;

pub(crate) use self::alarms::{Alarms, Due, NotSet};
pub(crate) use self::attachment::{ATTACHMENT, Attachment, Carried, Held, attachment, whose};
pub(crate) use self::budget::{Budget, full, has_room, is_at_capacity, weigh};
pub(crate) use self::clock::{Alarmed, Clock};
pub(crate) use self::custody_rows::{CustodyRows, Moved};
pub(crate) use self::effects::{
    close, close_now, expel, expel_with, forget_socket, next_output, revision, run_output,
    run_outputs, send, tell_sign_of_life, transmit, transport,
};
pub(crate) use self::handover::{HandedOver, Handover, HandsOver, register, running_in_front};
pub(crate) use self::hub_count_rows::{Whose, put as put_hub_count, read as hub_count};
pub(crate) use self::hub_rows::HubRows;
pub(crate) use self::intake::{admit_handshake, charge, hold, release, take};
pub(crate) use self::packet::Packet;
pub(crate) use self::recovery_rows::RecoveryRows;
pub(crate) use self::repeats::{OBJECT, Repeats};
pub(crate) use self::requests::{Kind, Parsed, Receiver, Requests};
#[cfg(all(test, target_arch = "wasm32"))]
pub(crate) use self::row_budget::SAVE_AFTER;
pub(crate) use self::row_budget::{Purpose, RowBudget};
pub(crate) use self::rows::Rows;
pub(crate) use self::runner::{CONNECT_LIMIT, Work, guarded, run, run_later, spawn, spawn_for_all};
pub(crate) use self::sessions::{Layered, Phase, Row, SessionEntry, Sessions, Source, Stored};
pub(crate) use self::set::{Parts, ServerOptions};
#[cfg(all(test, target_arch = "wasm32"))]
pub(crate) use self::tasks::Running;
pub(crate) use self::tasks::{Job, Tasks};
pub(crate) use self::turn::{Finish, Turn};
pub(crate) use self::websockets::{Listener, WebSockets, is_closed, retire};
