//! A store in memory that can fail.

use alloc::collections::BTreeMap;
use core::cell::Cell;

use super::*;

/// The maximum size of a row, as the platform has it.
const LARGEST_ROW: usize = 2_000_000;

/// Rows in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    pub(super) numbers: BTreeMap<Number, u64>,
    pub(super) events: BTreeMap<Offset, Event>,
    pub(super) sockets: BTreeMap<String, SocketRow>,
    /// It takes nothing, but can be read and deleted from.
    pub(super) is_full: bool,
    /// Calls until one fails.
    pub(super) fails_in: Cell<Option<u32>>,
    /// Something could not be deleted.
    pub(super) has_kept: bool,
    /// Writes that were carried out.
    pub(super) writes: u32,
    /// The bytes of events that were read.
    pub(super) bytes_read: Cell<usize>,
    /// The bytes of sockets that were read.
    pub(super) socket_bytes_read: Cell<usize>,
    /// The bytes of the largest page so far.
    pub(super) largest_page: Cell<usize>,
}

/// A row of an event.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) namespace: String,
    pub(super) head: Vec<u8>,
    pub(super) content: Vec<u8>,
}

impl Event {
    fn size(&self) -> usize {
        self.head.len() + self.content.len()
    }
}

impl Rows {
    fn call(&self) -> Result<(), Failed> {
        let left = self.fails_in.get();
        self.fails_in.set(left.and_then(|left| left.checked_sub(1)));
        if left == Some(0) { Err(Failed) } else { Ok(()) }
    }

    fn put(&mut self, bytes: usize) -> Result<(), Failed> {
        self.call()?;
        assert!(bytes <= LARGEST_ROW, "the platform takes no such row");
        if self.is_full {
            return Err(Failed);
        }
        self.writes += 1;
        Ok(())
    }

    fn note_read(&self, counter: &Cell<usize>, bytes: usize) {
        counter.set(counter.get() + bytes);
        self.largest_page.set(self.largest_page.get().max(bytes));
    }

    fn delete(&mut self) -> Result<(), Failed> {
        let deleted = self.call();
        self.has_kept |= deleted.is_err();
        self.writes += 1;
        deleted
    }
}

/// Returns the first rows that fit into a page.
fn page<T>(rows: impl Iterator<Item = T>, size: impl Fn(&T) -> usize, max_bytes: usize) -> Vec<T> {
    let mut bytes = 0;
    let mut page = Vec::new();
    for row in rows {
        bytes += size(&row);
        if bytes > max_bytes && !page.is_empty() {
            break;
        }
        page.push(row);
    }
    page
}

fn usage(sizes: impl Iterator<Item = usize>) -> Usage {
    sizes.fold(Usage::default(), |usage, bytes| Usage {
        count: usage.count + 1,
        bytes: usage.bytes + bytes as u64,
    })
}

impl Store for Rows {
    fn number(&self, number: Number) -> Result<Option<u64>, Failed> {
        self.call()?;
        Ok(self.numbers.get(&number).copied())
    }

    fn put_number(&mut self, number: Number, value: u64) -> Result<(), Failed> {
        self.put(0)?;
        self.numbers.insert(number, value);
        Ok(())
    }

    fn delete_number(&mut self, number: Number) -> Result<(), Failed> {
        self.delete()?;
        self.numbers.remove(&number);
        Ok(())
    }

    fn append_event(&mut self, offset: Offset, row: NewEvent<'_>) -> Result<(), Failed> {
        self.put(row.namespace.len() + row.head.len() + row.content.len())?;
        let newest = self.events.last_key_value();
        assert!(newest.is_none_or(|(newest, _)| *newest < offset));
        let event = Event {
            namespace: row.namespace.into(),
            head: row.head.into(),
            content: row.content.into(),
        };
        self.events.insert(offset, event);
        Ok(())
    }

    fn event_heads(
        &self,
        namespace: &str,
        after: Offset,
        max_bytes: usize,
    ) -> Result<Vec<EventHead>, Failed> {
        self.call()?;
        let after = self.events.range(Offset(after.0 + 1)..);
        let rows = after.filter(|(_, event)| event.namespace == namespace);
        let rows = rows.map(|(offset, event)| EventHead {
            offset: *offset,
            head: event.head.clone(),
        });
        let page = page(rows, |row| row.head.len(), max_bytes);
        self.note_read(
            &self.bytes_read,
            page.iter().map(|row| row.head.len()).sum(),
        );
        Ok(page)
    }

    fn event_contents(&self, offsets: &[Offset]) -> Result<Vec<(Offset, Vec<u8>)>, Failed> {
        self.call()?;
        assert!(offsets.is_sorted());
        let find = |offset: &Offset| Some((*offset, self.events.get(offset)?.content.clone()));
        let rows: Vec<_> = offsets.iter().filter_map(find).collect();
        self.note_read(
            &self.bytes_read,
            rows.iter().map(|(_, row)| row.len()).sum(),
        );
        Ok(rows)
    }

    fn event_sizes(&self, after: Offset, count: usize) -> Result<Vec<(Offset, u64)>, Failed> {
        self.call()?;
        let after = self.events.range(Offset(after.0 + 1)..);
        let sizes = after.map(|(offset, event)| (*offset, event.size() as u64));
        Ok(sizes.take(count).collect())
    }

    fn newest_event(&self) -> Result<Option<Offset>, Failed> {
        self.call()?;
        Ok(self.events.keys().next_back().copied())
    }

    fn newest_event_before(&self, offset: Offset) -> Result<Option<Offset>, Failed> {
        self.call()?;
        Ok(self.events.range(..offset).next_back().map(|(it, _)| *it))
    }

    fn event_usage(&self) -> Result<Usage, Failed> {
        self.call()?;
        Ok(usage(self.events.values().map(Event::size)))
    }

    fn delete_events(&mut self, up_to: Offset) -> Result<(), Failed> {
        self.delete()?;
        self.events.retain(|offset, _| *offset > up_to);
        Ok(())
    }

    fn put_socket(&mut self, socket: NewSocket<'_>) -> Result<(), Failed> {
        let names = socket.pid.len() + socket.namespace.len();
        self.put(names + socket.session.len() + socket.bytes.len())?;
        let row = SocketRow {
            pid: socket.pid.into(),
            namespace: socket.namespace.into(),
            lost: socket.lost,
            session: socket.session.into(),
            bytes: socket.bytes.into(),
        };
        self.sockets.insert(socket.pid.into(), row);
        Ok(())
    }

    fn socket(&self, pid: &str, namespace: &str) -> Result<Option<SocketRow>, Failed> {
        self.call()?;
        let row = self.sockets.get(pid);
        Ok(row.filter(|row| row.namespace == namespace).cloned())
    }

    fn lose_socket(&mut self, pid: &str, at: Timestamp) -> Result<(), Failed> {
        self.put(0)?;
        self.sockets.get_mut(pid).unwrap().lost = Some(at);
        Ok(())
    }

    fn delete_socket(&mut self, pid: &str) -> Result<(), Failed> {
        self.delete()?;
        self.sockets.remove(pid);
        Ok(())
    }

    fn delete_sockets(&mut self) -> Result<(), Failed> {
        self.delete()?;
        self.sockets.clear();
        Ok(())
    }

    fn delete_sockets_of(&mut self, namespace: &str) -> Result<(), Failed> {
        self.delete()?;
        self.sockets.retain(|_, row| row.namespace != namespace);
        Ok(())
    }

    fn lost_sockets(&self, before: Timestamp, max_bytes: usize) -> Result<Vec<SocketRow>, Failed> {
        self.call()?;
        let rows = self.sockets.values();
        let is_before = |row: &&SocketRow| row.lost.is_some_and(|lost| lost < before);
        let mut lost: Vec<_> = rows.filter(is_before).cloned().collect();
        lost.sort_by_key(|row| row.lost);
        let page = page(lost.into_iter(), |row| row.bytes.len(), max_bytes);
        let bytes = page.iter().map(|row| row.bytes.len()).sum();
        self.note_read(&self.socket_bytes_read, bytes);
        Ok(page)
    }

    fn delete_lost_sockets(&mut self, before: Timestamp) -> Result<(), Failed> {
        self.delete()?;
        let is_before = |row: &SocketRow| row.lost.is_some_and(|lost| lost < before);
        self.sockets.retain(|_, row| !is_before(row));
        Ok(())
    }

    fn has_connected_sockets(&self) -> Result<bool, Failed> {
        self.call()?;
        Ok(self.sockets.values().any(|row| row.lost.is_none()))
    }

    fn connected_sockets(&self, after: &str, count: usize) -> Result<Vec<Holder>, Failed> {
        self.call()?;
        let rows = self.sockets.values();
        let rows = rows.filter(|row| row.lost.is_none() && *row.pid > *after);
        let holder = |row: &SocketRow| Holder {
            pid: row.pid.clone(),
            namespace: row.namespace.clone(),
            session: row.session.clone(),
        };
        Ok(rows.take(count).map(holder).collect())
    }

    fn earliest_loss(&self) -> Result<Option<Timestamp>, Failed> {
        self.call()?;
        Ok(self.sockets.values().filter_map(|row| row.lost).min())
    }

    fn socket_usage(&self) -> Result<Usage, Failed> {
        self.call()?;
        Ok(usage(self.sockets.values().map(|row| row.bytes.len())))
    }
}
