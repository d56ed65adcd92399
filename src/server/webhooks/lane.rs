//! What one object keeps of a webhook: who is in flight, and whether the back end is
//! there. It is the object's own, so that nobody waits for another object's calls, and
//! is gone with those that waited.

use core::cell::RefCell;
use std::rc::Rc;

use dormouse_proto::rate::Network;

use super::circuit::{Address, Circuits};
use super::slots::{Full, Limits, Slot, Slots};
use crate::api::Socket;
use crate::request::Handshake;
use crate::sid::Key;
use crate::table::Table;

/// The maximum number of bytes in flight, of which half may be for one address. They are
/// in memory twice, here and in the runtime.
const MAX_BYTES: usize = 8 << 20;

/// How many calls are in flight at once: for one client, for all clients of an address,
/// and for an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct InFlight {
    pub(super) client: usize,
    pub(super) address: usize,
    pub(super) object: usize,
}

/// The client that a call is made for.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pub(super) session: Key,
    pub(super) address: Address,
}

impl Caller {
    /// Returns the client of a socket, whose session began with this request.
    pub(super) fn new(socket: &Socket, handshake: &Handshake) -> Self {
        let address = handshake.address();
        Self {
            session: socket.session(),
            address: address.and_then(|address| Network::parse(&address)),
        }
    }
}

/// The lanes of an object, by the webhook's number.
#[derive(Default)]
pub(super) struct Lanes(RefCell<Table<u32, Rc<Lane>>>);

impl Lanes {
    /// Returns the lane of a webhook.
    pub(super) fn of(&self, webhook: u32, in_flight: InFlight) -> Rc<Lane> {
        let mut lanes = self.0.borrow_mut();
        if let Some(lane) = lanes.get(webhook) {
            return lane.clone();
        }
        let lane = Rc::new(Lane::new(in_flight));
        lanes.insert(webhook, lane.clone());
        lane
    }
}

/// The calls of one webhook from one object.
pub(super) struct Lane {
    clients: Rc<Queues<Key>>,
    addresses: Rc<Queues<Address>>,
    object: Rc<Slots>,
    pub(super) circuits: RefCell<Circuits>,
}

/// Lets a call be made, until this is dropped.
pub(super) struct Pass {
    _object: Slot,
    _of_caller: Option<(Place<Address>, Place<Key>)>,
}

impl Lane {
    fn new(in_flight: InFlight) -> Self {
        let limits = |calls, bytes| Limits { calls, bytes };
        Self {
            clients: Queues::new(limits(in_flight.client, usize::MAX)),
            addresses: Queues::new(limits(in_flight.address, MAX_BYTES / 2)),
            object: Slots::new(limits(in_flight.object, MAX_BYTES)),
            circuits: RefCell::default(),
        }
    }

    /// Waits until a call of this size may be made: first for its client's others, then for
    /// those of its client's address, so that neither is in anybody else's way, and then
    /// for everybody's.
    pub(super) async fn enter(&self, caller: Option<Caller>, bytes: usize) -> Result<Pass, Full> {
        let of_caller = match caller {
            Some(Caller { session, address }) => {
                let client = self.clients.take(session, 0).await?;
                let address = self.addresses.take(address, bytes).await?;
                Some((address, client))
            }
            None => None,
        };
        Ok(Pass {
            // A single call may be larger than all that an address may have in flight.
            // Other addresses have the other half nevertheless.
            _object: self.object.take(bytes.min(MAX_BYTES / 2)).await?,
            _of_caller: of_caller,
        })
    }
}

/// The slots of each client, or of each address, with calls that are in flight or wait.
struct Queues<K> {
    limits: Limits,
    each: RefCell<Table<K, Rc<Slots>>>,
}

/// A slot of one of them, or the wait for it.
struct Place<K: Ord + Copy> {
    queues: Rc<Queues<K>>,
    key: K,
    slot: Option<Slot>,
}

impl<K: Ord + Copy> Queues<K> {
    fn new(limits: Limits) -> Rc<Self> {
        Rc::new(Self {
            limits,
            each: RefCell::default(),
        })
    }

    async fn take(self: &Rc<Self>, key: K, bytes: usize) -> Result<Place<K>, Full> {
        let slots = self.slots_of(key);
        let mut place = Place {
            queues: self.clone(),
            key,
            slot: None,
        };
        place.slot = Some(slots.take(bytes).await?);
        Ok(place)
    }

    fn slots_of(&self, key: K) -> Rc<Slots> {
        let mut each = self.each.borrow_mut();
        if let Some(slots) = each.get(key) {
            return slots.clone();
        }
        let slots = Slots::new(self.limits);
        each.insert(key, slots.clone());
        slots
    }

    fn forget_idle(&self, key: K) {
        let mut each = self.each.borrow_mut();
        if each.get(key).is_some_and(|slots| slots.is_idle()) {
            each.remove(key);
        }
    }
}

impl<K: Ord + Copy> Drop for Place<K> {
    fn drop(&mut self) {
        drop(self.slot.take());
        self.queues.forget_idle(self.key);
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn poll<T>(future: core::pin::Pin<&mut impl Future<Output = T>>) -> Poll<T> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn in_flight(client: usize, address: usize, object: usize) -> InFlight {
        InFlight {
            client,
            address,
            object,
        }
    }

    /// Enters for a client of an address, each known by a number.
    fn enter(lane: &Rc<Lane>, client: u8, address: u8, bytes: usize) -> Option<Pass> {
        let caller = Caller {
            session: [client; 12],
            address: Network::parse(&format!("192.0.2.{address}")),
        };
        match poll(pin!(lane.enter(Some(caller), bytes))) {
            Poll::Ready(pass) => Some(pass.unwrap()),
            Poll::Pending => None,
        }
    }

    fn is_idle(lane: &Lane) -> bool {
        let is_known = lane.clients.each.borrow().keys().next().is_some()
            || lane.addresses.each.borrow().keys().next().is_some();
        lane.object.is_idle() && !is_known
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn one_client_is_not_in_the_way_of_others() {
        let lane = Lanes::default().of(1, in_flight(2, 3, 3));
        let first = (
            enter(&lane, 1, 1, 0).unwrap(),
            enter(&lane, 1, 1, 0).unwrap(),
        );
        assert!(enter(&lane, 1, 1, 0).is_none());
        let second = enter(&lane, 2, 1, 0).unwrap();
        assert!(enter(&lane, 2, 1, 0).is_none());
        drop(first);
        assert!(enter(&lane, 2, 1, 0).is_some());
        drop(second);
        assert!(is_idle(&lane));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn one_address_is_not_in_the_way_of_others() {
        let lane = Lanes::default().of(1, in_flight(2, 3, 5));
        let first: Vec<_> = (0..9)
            .filter_map(|client| enter(&lane, client, 1, 0))
            .collect();
        assert_eq!(first.len(), 3);
        let second: Vec<_> = (0..9)
            .filter_map(|client| enter(&lane, client, 2, 0))
            .collect();
        assert_eq!(second.len(), 2);
        drop((first, second));
        assert!(is_idle(&lane));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn large_calls_of_one_address_leave_half_for_others() {
        let lane = Lanes::default().of(1, in_flight(2, 2, 9));
        let large = enter(&lane, 1, 1, 2 * MAX_BYTES).unwrap();
        assert!(enter(&lane, 2, 1, 1).is_none());
        let other = enter(&lane, 3, 2, MAX_BYTES / 2).unwrap();
        assert!(enter(&lane, 4, 3, 1).is_none());
        drop((large, other));
        assert!(is_idle(&lane));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn clients_without_calls_are_forgotten() {
        let lane = Lanes::default().of(1, in_flight(1, 1, 1));
        let pass = enter(&lane, 1, 1, 0);
        // Both give up waiting: one for itself, and one for the other.
        assert!(enter(&lane, 1, 1, 0).is_none());
        assert!(enter(&lane, 2, 1, 0).is_none());
        assert!(!lane.clients.each.borrow().contains([2; 12]));
        assert!(lane.clients.each.borrow().contains([1; 12]));
        drop(pass);
        assert!(is_idle(&lane));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn each_webhook_has_its_lane() {
        let lanes = Lanes::default();
        let one = in_flight(1, 1, 1);
        let _pass = enter(&lanes.of(1, one), 1, 1, 0).unwrap();
        assert!(enter(&lanes.of(1, one), 1, 1, 0).is_none());
        assert!(enter(&lanes.of(2, one), 1, 1, 0).is_some());
    }
}
