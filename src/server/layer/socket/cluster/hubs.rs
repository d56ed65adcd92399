//! The hub that an object is, if it is one.

use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::cluster::{Answer, Hub, HubIndex, LogSettings};

use super::objects::Objects;
use super::participant::{Core, Participant};
use crate::api::app::app;
use crate::parts::HubRows;
use crate::port::locate;

/// Returns the hub of this number.
///
/// # Errors
///
/// That is another object, or the storage fails.
pub(super) fn find(
    objects: &Objects,
    namespace: &str,
    index: HubIndex,
) -> Result<Rc<Participant>, Answer> {
    if let Some((own, hub)) = objects.hub.get() {
        let is_it = *own == index && *hub.namespace == *namespace;
        return is_it.then(|| hub.clone()).ok_or(Answer::Misdirected);
    }
    let all = locate::objects(&app().binding, &objects.parts.env);
    let all = all.map_err(|_| Answer::Unavailable)?;
    let name = objects.spread.hub_name(objects.path(), namespace, index);
    if locate::id_of(&all, &name).as_ref() != Some(&objects.parts.id) {
        return Err(Answer::Misdirected);
    }
    let (hub, rows) = open(objects, namespace, index)?;
    let participant = Rc::new(Participant::new(
        namespace,
        Core::Hub(hub, rows),
        Vec::new(),
    ));
    // There was none, as looked up above.
    let _ = objects.hub.set((index, participant.clone()));
    Ok(participant)
}

fn open(objects: &Objects, namespace: &str, index: HubIndex) -> Result<(Hub, HubRows), Answer> {
    let state = &objects.parts.state;
    let logged = objects.context().filter(|_| objects.spread.logs(namespace));
    let logged = logged.and_then(|cx| Some((cx.recovery.settings()?, cx)));
    let (hub, rows) = match logged {
        Some((settings, cx)) => {
            cx.recovery.open();
            let settings = LogSettings {
                max_disconnection: settings.max_disconnection,
                max_events: settings.max_events,
                max_bytes: settings.max_bytes,
                max_missed: settings.max_missed,
                max_row: settings.max_row,
            };
            let mut rows = HubRows::logging(state, namespace);
            (Hub::recovering(settings, &mut rows), rows)
        }
        None => {
            let mut rows = HubRows::open(state);
            let count = objects.spread.hubs_of(namespace);
            (Hub::new(index, count, &mut rows), rows)
        }
    };
    let mut hub = hub.map_err(|_| Answer::Unavailable)?;
    hub.relay_from(objects.spread.relay_from as usize);
    Ok((hub, rows))
}

/// Does what is due in the log of this object, if it is a hub that has one, and returns
/// when to call this again.
pub(super) fn ring(objects: &Objects) -> Option<Timestamp> {
    let hub = match objects.hub.get() {
        Some((_, hub)) => hub.clone(),
        None => {
            let namespace = HubRows::logged(&objects.parts.state)?;
            find(objects, &namespace, HubIndex(0)).ok()?
        }
    };
    hub.ring(objects.now());
    objects.run(&hub);
    hub.alarm()
}
