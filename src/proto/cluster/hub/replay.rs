//! What is read from a hub's log: for nodes that have not taken it, and for clients that
//! have missed it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Hub, Rule, is_broken};
use crate::cluster::{
    EMIT_LIMIT, Event, Failed, LogHead, LogSettings, MAX_BATCH, MAX_WAITING, Missed, MissedEvents,
    NewLogged, NodeId, Operation, Payload, Sender, Shared, Store,
};
use crate::{Map, Timestamp, versioned};

/// The layout of [`Head`]. Another number is another layout.
const VERSION: u8 = 1;

/// The number of bytes of heads that are read at once.
const PAGE: usize = 256 << 10;

/// What is stored of an event besides its place and its content.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    sender: Sender,
    seq: u64,
    rooms: Vec<String>,
    nodes: Vec<NodeId>,
    /// The size of the content; `None` if it was too large to be stored.
    bytes: Option<usize>,
}

impl Head {
    fn decode(row: &LogHead) -> Option<Self> {
        versioned::decode(VERSION, &row.head).ok()
    }

    fn event(self, place: u64, content: Vec<u8>, deadline: Timestamp) -> Event {
        Event {
            place,
            sender: self.sender,
            deadline,
            operation: self.operation(content),
        }
    }

    fn operation(self, content: Vec<u8>) -> Shared {
        let operation = Operation {
            seq: self.seq,
            rooms: self.rooms,
            nodes: self.nodes,
            tells_nodes: false,
            is_logged: true,
            payload: Payload(content.into()),
        };
        Shared(operation.into())
    }
}

/// Returns the row of an event.
pub(super) fn row(
    sender: Sender,
    operation: &Operation,
    place: u64,
    settings: &LogSettings,
) -> NewLogged {
    let encode = |bytes| {
        let head = Head {
            sender,
            seq: operation.seq,
            rooms: operation.rooms.clone(),
            nodes: operation.nodes.clone(),
            bytes,
        };
        versioned::encode(VERSION, &head)
    };
    let bytes = operation.payload.0.len();
    let head = encode(Some(bytes));
    if head.len().saturating_add(bytes) <= settings.max_row {
        let content = operation.payload.clone();
        return NewLogged {
            place,
            head,
            content,
        };
    }
    NewLogged {
        place,
        head: encode(None),
        content: Payload(Vec::new().into()),
    }
}

impl Hub {
    /// Finds the nodes that may not have what an earlier life has logged.
    pub(super) fn try_to_resume(&mut self, store: &mut dyn Store) -> Result<(), Failed> {
        let log = self.log.as_ref().ok_or(Failed)?;
        let (mut after, mut firsts) = (log.settled.max(log.pruned), Map::new());
        let gaps = store.log().ok_or(Failed)?.gaps()?;
        loop {
            let page = store.log().ok_or(Failed)?.heads(after, PAGE)?;
            let Some(last) = page.last() else {
                break;
            };
            after = last.place;
            for row in &page {
                let Some(head) = Head::decode(row) else {
                    continue;
                };
                let operation = head.operation(Vec::new());
                for node in self.nodes(&operation, &Map::new(), store)? {
                    firsts.entry(node).or_insert(row.place);
                }
            }
        }
        for node in gaps {
            self.lanes.open_gap(node);
        }
        for (node, place) in firsts {
            self.lanes.fall_behind(node, place);
        }
        Ok(())
    }

    /// Reads events for a node that is behind, as many as go into a call.
    pub(super) fn refill(
        &mut self,
        node: NodeId,
        from: u64,
        now: Timestamp,
        store: &mut dyn Store,
    ) -> Result<(), Failed> {
        let (mut after, mut bytes, mut is_full) = (from - 1, 0, false);
        let (mut wanted, mut is_damaged) = (Vec::new(), false);
        while !is_full {
            let page = store.log().ok_or(Failed)?.heads(after, PAGE)?;
            if page.is_empty() {
                break;
            }
            for row in page {
                let head = Head::decode(&row);
                is_damaged |= head.is_none();
                if let Some(head) = head
                    && is_for(&head, node, store)?
                {
                    bytes += head.bytes.unwrap_or(0);
                    is_full =
                        !wanted.is_empty() && (bytes > MAX_BATCH || wanted.len() >= MAX_WAITING);
                    if is_full {
                        break;
                    }
                    match head.bytes {
                        Some(_) => wanted.push((row.place, head)),
                        None => is_damaged = true,
                    }
                }
                after = row.place;
            }
        }
        let places: Vec<u64> = wanted.iter().map(|(place, _)| *place).collect();
        let contents = store.log().ok_or(Failed)?.contents(&places)?;
        let mut contents: Map<u64, Vec<u8>> = contents.into_iter().collect();
        self.lanes.catch_up(node, is_full.then_some(after + 1));
        if is_damaged {
            self.lanes.open_gap(node);
        }
        for (place, head) in wanted {
            let Some(content) = contents.remove(&place) else {
                self.lanes.open_gap(node);
                continue;
            };
            let event = head.event(place, content, now + EMIT_LIMIT);
            if let Some(log) = &mut self.log {
                *log.open.entry(place).or_default() += 1;
            }
            self.lanes.queue(node, event);
        }
        Ok(())
    }

    /// Answers what a socket has missed. `None` if some of it is gone.
    pub(super) fn missed(
        &self,
        missed: &Missed,
        store: &mut dyn Store,
    ) -> Result<Option<MissedEvents>, Failed> {
        let log = self.log.as_ref().ok_or(Failed)?;
        let up_to = self.publishing.place;
        let is_there = missed.after >= log.pruned || is_broken(Rule::AdmitHoles);
        if !is_there || missed.after > up_to {
            return Ok(None);
        }
        let (mut after, mut bytes, mut wanted) = (missed.after, 0_usize, Vec::new());
        let store = store.log().ok_or(Failed)?;
        loop {
            let page = store.heads(after, PAGE)?;
            let Some(last) = page.last() else {
                break;
            };
            after = last.place;
            for row in page {
                // Of one that cannot be read, nobody knows whom it was for.
                let Some(head) = Head::decode(&row) else {
                    return Ok(None);
                };
                if head.rooms.iter().any(|room| missed.rooms.contains(room)) {
                    let Some(size) = head.bytes else {
                        return Ok(None);
                    };
                    bytes = bytes.saturating_add(size);
                    if bytes > log.settings.max_missed {
                        return Ok(None);
                    }
                    wanted.push((row.place, head));
                }
            }
        }
        let places: Vec<u64> = wanted.iter().map(|(place, _)| *place).collect();
        let contents = store.contents(&places)?;
        if contents.len() != wanted.len() {
            return Ok(None);
        }
        let events = wanted.into_iter().zip(contents);
        let events = events.map(|((place, head), (_, content))| (place, head.operation(content)));
        let events = events.collect();
        Ok(Some(MissedEvents { up_to, events }))
    }
}

/// Returns whether an event is for a node, as far as is known now.
fn is_for(head: &Head, node: NodeId, store: &dyn Store) -> Result<bool, Failed> {
    if head.nodes.contains(&node) {
        return Ok(true);
    }
    for room in &head.rooms {
        if store.has(room, node)? {
            return Ok(true);
        }
    }
    Ok(false)
}
