//! Stored sockets: those whose clients may still come back.

use alloc::string::String;
use alloc::vec::Vec;

use super::store::Tally;
use super::{Failed, Holder, NewSocket, Number, PAGE, Settings, Store, StoredSocket, Usage};
use crate::Timestamp;

/// The number of sockets whose sessions are read at once.
const HOLDERS: usize = 500;

/// The stored sockets, as far as this instance knows them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    tally: Tally,
    /// A row that must not be read again could not be deleted. Until all such rows
    /// are, nobody comes back.
    is_stale: bool,
}

impl Sockets {
    /// Stores a socket. Those that gave way to it are added to `evicted`.
    pub(super) fn put(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        socket: &StoredSocket,
        evicted: &mut Vec<StoredSocket>,
    ) -> Result<(), Failed> {
        let bytes = socket.encode();
        let row = socket.row(&bytes);
        if row.size() > settings.max_row {
            return Err(Failed);
        }
        let one = Usage {
            count: 1,
            bytes: bytes.len() as u64,
        };
        if self.tally.is_due(one, settings.sockets()) {
            if let Some(replaced) = store.socket(&socket.pid, &socket.namespace)? {
                // It must neither be counted nor give way to itself.
                store.delete_socket(&replaced.pid)?;
                self.tally.remove(Usage {
                    count: 1,
                    bytes: replaced.bytes.len() as u64,
                });
            }
            self.make_room(store, settings, one, evicted)?;
        }
        store.put_socket(row)?;
        self.tally.add(one);
        Ok(())
    }

    /// Deletes the sockets that were lost first until there is room for `more`.
    fn make_room(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        more: Usage,
        evicted: &mut Vec<StoredSocket>,
    ) -> Result<(), Failed> {
        let limit = settings.sockets();
        let mut usage = match self.tally.known() {
            Some(usage) if usage.plus(more).is_within(limit) => usage,
            Some(_) | None => store.socket_usage()?,
        };
        let goal = usage.plus(more).reduced_to(limit);
        while !usage.plus(more).is_within(goal) {
            let page = store.lost_sockets(Timestamp::from_millis(u64::MAX), PAGE)?;
            if page.is_empty() {
                break;
            }
            for row in page {
                if usage.plus(more).is_within(goal) {
                    break;
                }
                store.delete_socket(&row.pid)?;
                usage = usage.minus(Usage {
                    count: 1,
                    bytes: row.bytes.len() as u64,
                });
                evicted.extend(StoredSocket::decode(row));
            }
        }
        self.tally.set(usage);
        if usage.plus(more).is_within(limit) {
            Ok(())
        } else {
            Err(Failed)
        }
    }

    pub(super) fn delete(&mut self, store: &mut dyn Store, pid: &str) {
        self.is_stale |= store.delete_socket(pid).is_err();
    }

    pub(super) fn delete_all_of(&mut self, store: &mut dyn Store, namespace: &str) {
        self.is_stale |= store.delete_sockets_of(namespace).is_err();
        self.tally = Tally::default();
    }

    /// Deletes what could not be deleted before.
    pub(super) fn clean(&mut self, store: &mut dyn Store) -> Result<(), Failed> {
        if self.is_stale {
            store.delete_sockets()?;
            *self = Self::default();
        }
        Ok(())
    }

    pub(super) fn find(
        &mut self,
        store: &mut dyn Store,
        pid: &str,
        namespace: &str,
    ) -> Result<Option<StoredSocket>, Failed> {
        self.clean(store)?;
        let Some(row) = store.socket(pid, namespace)? else {
            return Ok(None);
        };
        let socket = StoredSocket::decode(row);
        if socket.is_none() {
            self.delete(store, pid);
        }
        Ok(socket)
    }

    /// Marks sockets as lost that were cut off without a word, as by a deploy. This
    /// happens only now and then, because it has to read every socket. Returns when
    /// to do so again, if there are any.
    pub(super) fn search(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        now: Timestamp,
        is_held: &mut dyn FnMut(&Holder) -> bool,
    ) -> Result<Option<Timestamp>, Failed> {
        if !store.has_connected_sockets()? {
            return Ok(None);
        }
        let every = settings.max_disconnection;
        let searched = store.number(Number::Searched)?.unwrap_or_default();
        let searched = Timestamp::from_millis(searched);
        // A time in the future was not written by this clock.
        if searched <= now && now < searched + every {
            return Ok(Some(searched + every));
        }
        store.put_number(Number::Searched, now.as_millis())?;
        let mut after = String::new();
        loop {
            let page = store.connected_sockets(&after, HOLDERS)?;
            let Some(last) = page.last().filter(|last| last.pid > after) else {
                return Ok(Some(now + every));
            };
            after.clone_from(&last.pid);
            for holder in page {
                if !is_held(&holder) {
                    store.lose_socket(&holder.pid, now)?;
                }
            }
        }
    }

    /// Deletes the sockets whose clients have not come back in time, or a page of them
    /// if the application is to be told, and returns when the next ones will have
    /// expired.
    pub(super) fn expire(
        &mut self,
        store: &mut dyn Store,
        settings: &Settings,
        now: Timestamp,
        expired: &mut Vec<StoredSocket>,
    ) -> Result<Option<Timestamp>, Failed> {
        let before = now - settings.max_disconnection;
        if settings.tells_of_expired {
            for row in store.lost_sockets(before, PAGE)? {
                store.delete_socket(&row.pid)?;
                expired.extend(StoredSocket::decode(row));
            }
        } else {
            store.delete_lost_sockets(before)?;
        }
        let earliest = store.earliest_loss()?;
        Ok(earliest.map(|lost| settings.expiry(lost)))
    }
}

impl NewSocket<'_> {
    fn size(&self) -> usize {
        [
            self.pid.len(),
            self.namespace.len(),
            self.session.len(),
            self.bytes.len(),
        ]
        .into_iter()
        .fold(0, usize::saturating_add)
    }
}

impl Settings {
    fn sockets(&self) -> Usage {
        Usage {
            count: self.max_sockets,
            bytes: self.max_socket_bytes,
        }
    }
}
