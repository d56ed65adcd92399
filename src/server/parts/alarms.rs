//! The application's alarms: a row for each, and what is known of them in memory. It
//! does not wake the object itself: they share the platform's only alarm with
//! everything else, and [`Clock`](super::Clock) sets that.
//!
//! An alarm is over when its handler has returned, and its row is there until then. A
//! handler that waits for something could be lost with the instance, as could one that
//! panics. Then the alarm is *claimed*: its row says when to call the handler again, and
//! how often it was called. One that returns at once costs no row for that.
//!
//! The table has no version: if its columns change, it gets a new name, and this one is
//! dropped.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use dormouse_proto::Timestamp;
use js_sys::Array;
use wasm_bindgen::{JsCast as _, JsValue};

use crate::platform::ObjectState;

/// The maximum number of alarms in one object. All of them are read when one is needed.
const MAX_ALARMS: usize = 1_000;

/// How often the handler of an alarm is called, if it never gets to its end.
const MAX_ATTEMPTS: u32 = 5;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS dormouse_alarms \
     (name TEXT PRIMARY KEY, server TEXT, due INTEGER, attempts INTEGER) WITHOUT ROWID";
const PUT: &str = "INSERT OR REPLACE INTO dormouse_alarms VALUES (?, ?, ?, ?)";
const DELETE: &str = "DELETE FROM dormouse_alarms WHERE name = ?";
const ALL: &str = "SELECT name, server, due, attempts FROM dormouse_alarms";

/// The application's alarms in this object.
pub(crate) struct Alarms {
    state: ObjectState,
    /// The table is known to exist.
    has_table: Cell<bool>,
    /// All of them, once they have been read.
    known: RefCell<Option<Vec<Alarm>>>,
}

struct Alarm {
    name: Rc<str>,
    /// The path of the server that it belongs to.
    server: Rc<str>,
    due: Timestamp,
    /// How often its handler was called and did not get to its end.
    attempts: u32,
    handler: Handler,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Handler {
    Idle,
    Running,
    /// It is running, and would be called again if the instance were lost.
    Claimed,
    /// It is running, and the alarm was set again meanwhile.
    SetAnew,
}

/// An alarm that is due.
pub(crate) struct Due {
    pub(crate) name: Rc<str>,
    pub(crate) at: Timestamp,
    /// Its handler has been called too often.
    pub(crate) is_given_up: bool,
}

/// An alarm was not set or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotSet {
    TooMany,
    /// The row could not be written.
    Storage,
}

impl Alarms {
    pub(crate) fn new(state: &ObjectState) -> Self {
        Self {
            state: state.clone(),
            has_table: Cell::new(false),
            known: RefCell::default(),
        }
    }

    /// Sets an alarm of the server on the path `server`, or changes its time. With
    /// `keeps`, one that is set already stays as it is.
    pub(crate) fn set(
        &self,
        server: &str,
        name: &str,
        due: Timestamp,
        keeps: bool,
    ) -> Result<(), NotSet> {
        self.with(|all| {
            let found = all.iter_mut().find(|alarm| &*alarm.name == name);
            // One whose handler is running is over, unless it is set again.
            let is_set = found.as_ref().is_some_and(|alarm| match alarm.handler {
                Handler::Idle | Handler::SetAnew => keeps || alarm.due == due,
                Handler::Running | Handler::Claimed => false,
            });
            if is_set {
                return Ok(());
            }
            if found.is_none() && all.len() >= MAX_ALARMS {
                return Err(NotSet::TooMany);
            }
            let mut alarm = Alarm {
                name: name.into(),
                server: server.into(),
                due,
                attempts: 0,
                handler: Handler::Idle,
            };
            self.put(&alarm)?;
            match all.iter_mut().find(|alarm| &*alarm.name == name) {
                Some(known) => {
                    if known.handler != Handler::Idle {
                        alarm.handler = Handler::SetAnew;
                    }
                    *known = alarm;
                }
                None => all.push(alarm),
            }
            Ok(())
        })
    }

    /// Deletes an alarm. Does nothing if there is none of that name.
    pub(crate) fn cancel(&self, name: &str) -> Result<(), NotSet> {
        self.with(|all| {
            if all.iter().any(|alarm| &*alarm.name == name) {
                self.run(DELETE, &[name.into()]).ok_or(NotSet::Storage)?;
                all.retain(|alarm| &*alarm.name != name);
            }
            Ok(())
        })
    }

    /// Returns the path of the server that they belong to, if there are any.
    pub(crate) fn server(&self) -> Option<Rc<str>> {
        self.with(|all| all.first().map(|alarm| alarm.server.clone()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.with(|all| all.is_empty())
    }

    /// Returns when the first of them is due, apart from those whose handlers are
    /// running.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let is_awaited = |alarm: &&Alarm| match alarm.handler {
            Handler::Idle | Handler::Claimed => true,
            // What comes of it is known when it has returned.
            Handler::Running | Handler::SetAnew => false,
        };
        self.with(|all| all.iter().filter(is_awaited).map(|alarm| alarm.due).min())
    }

    /// Returns those that are due.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<Due> {
        let is_due = |alarm: &&Alarm| alarm.handler == Handler::Idle && alarm.due <= now;
        let due = |alarm: &Alarm| Due {
            name: alarm.name.clone(),
            at: alarm.due,
            is_given_up: alarm.attempts >= MAX_ATTEMPTS,
        };
        self.with(|all| {
            let mut in_order: Vec<Due> = Vec::new();
            for due in all.iter().filter(is_due).map(due) {
                // They are few, and the code of a sort weighs more than all of this.
                let place = in_order.partition_point(|other| other.at <= due.at);
                in_order.insert(place, due);
            }
            in_order
        })
    }

    /// Notes that the handler of an alarm is being called. Returns `false` if it is not to
    /// be: another handler has cancelled it, or changed its time.
    pub(crate) fn begin(&self, due: &Due) -> bool {
        self.with(|all| {
            let is_it = |alarm: &&mut Alarm| alarm.name == due.name && alarm.due == due.at;
            let alarm = all.iter_mut().find(is_it);
            alarm
                .map(|alarm| alarm.handler = Handler::Running)
                .is_some()
        })
    }

    /// Notes that the handlers that are running may not get to their end, and are to be
    /// called `again` then. In a panic, this is the last that is done.
    pub(crate) fn claim_running(&self, again: Timestamp) {
        // A panic may have come while it was borrowed.
        let Ok(mut known) = self.known.try_borrow_mut() else {
            return;
        };
        let all = known.iter_mut().flatten();
        for alarm in all.filter(|alarm| alarm.handler == Handler::Running) {
            alarm.handler = Handler::Claimed;
            alarm.due = again;
            alarm.attempts += 1;
            // If it fails, the row is as it was, and the handler is called again too.
            let _ = self.put(alarm);
        }
    }

    /// Takes in that it is time to call handlers again that have not got to their end, and
    /// that are still running here. They go off `again`, should this instance end meanwhile.
    pub(crate) fn extend_claims(&self, now: Timestamp, again: Timestamp) {
        self.with(|all| {
            let is_late =
                |alarm: &&mut Alarm| alarm.handler == Handler::Claimed && alarm.due <= now;
            for alarm in all.iter_mut().filter(is_late) {
                alarm.due = again;
                // If it fails, the row is as it was, and goes off at once elsewhere.
                let _ = self.put(alarm);
            }
        });
    }

    /// Notes that the handler of an alarm has returned: the alarm is over, unless it was
    /// set again. If its row cannot be deleted, it goes off `again`.
    pub(crate) fn finish(&self, name: &str, again: Timestamp) {
        self.with(|all| {
            let Some(alarm) = all.iter_mut().find(|alarm| &*alarm.name == name) else {
                return;
            };
            match alarm.handler {
                Handler::SetAnew => alarm.handler = Handler::Idle,
                Handler::Running | Handler::Claimed => match self.run(DELETE, &[name.into()]) {
                    Some(_) => all.retain(|alarm| &*alarm.name != name),
                    None => {
                        alarm.handler = Handler::Idle;
                        alarm.due = again;
                    }
                },
                // Cancelled, and then set again.
                Handler::Idle => {}
            }
        });
    }

    /// Takes in that the whole storage has been deleted.
    pub(crate) fn forget_all(&self) {
        self.has_table.set(false);
        self.known.replace(Some(Vec::new()));
    }

    /// Calls `work` with all alarms, which are read if they have not been yet.
    fn with<T>(&self, work: impl FnOnce(&mut Vec<Alarm>) -> T) -> T {
        let mut known = self.known.borrow_mut();
        work(known.get_or_insert_with(|| self.read()))
    }

    fn read(&self) -> Vec<Alarm> {
        // Where none was ever set there is no table.
        let rows = self.run(ALL, &[]).unwrap_or_default();
        let alarms = rows.iter().filter_map(|row| {
            let row: Array = row.unchecked_into();
            Some(Alarm {
                name: row.get(0).as_string()?.into(),
                server: row.get(1).as_string()?.into(),
                due: Timestamp::from_millis(row.get(2).as_f64()? as u64),
                attempts: row.get(3).as_f64()? as u32,
                handler: Handler::Idle,
            })
        });
        alarms.collect()
    }

    fn put(&self, alarm: &Alarm) -> Result<(), NotSet> {
        if !self.has_table.get() {
            self.run(TABLE, &[]).ok_or(NotSet::Storage)?;
            self.has_table.set(true);
        }
        let bindings = [
            JsValue::from(&*alarm.name),
            JsValue::from(&*alarm.server),
            JsValue::from(alarm.due.as_millis() as f64),
            JsValue::from(alarm.attempts),
        ];
        self.run(PUT, &bindings).ok_or(NotSet::Storage)?;
        Ok(())
    }

    fn run(&self, statement: &str, bindings: &[JsValue]) -> Option<Array> {
        self.state.sql(statement, bindings).ok()
    }
}

#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
