//! The state that the modules of this layer share.

use core::cell::Cell;
use std::rc::{Rc, Weak};

use dormouse_proto::socket::Socket as State;

use super::acks::PendingAcks;
use super::clients::Clients;
use super::cluster::{Cluster, Returns};
use super::index::Index;
use super::recovery::Recovery;
use crate::api::{Application, Socket};
use crate::parts::{self, Packet, Parts};
use crate::port::watch::Counted;
use crate::port::{Address, LocalPort, Spot};
use crate::sid::Key;

/// The parts of the object, those of the layer, and the application.
pub(super) struct Context {
    pub(super) me: Weak<Context>,
    pub(super) application: Rc<Application>,
    pub(super) parts: Rc<Parts>,
    pub(super) port: Weak<dyn LocalPort>,
    pub(super) clients: Clients,
    pub(super) index: Index,
    pub(super) acks: PendingAcks,
    pub(super) recovery: Recovery,
    pub(super) asking: Asking,
    /// The other objects, if all together are one server.
    pub(super) cluster: Option<Rc<dyn Cluster>>,
    /// Does what a client's connection asks: a function of [`super::outputs`].
    pub(super) run_outputs: fn(&Context, Key),
}

impl Context {
    /// Creates a handle for a socket.
    pub(super) fn socket(&self, address: Rc<Address>) -> Option<Socket> {
        let port = self.port.upgrade()?;
        Some(Socket::new(port, self.application.clone(), address))
    }

    /// Returns what lets clients come back to any of many objects, if they can.
    pub(super) fn returns(&self) -> Option<&dyn Returns> {
        self.cluster.as_ref()?.returns()
    }

    /// Returns the same, if they can come back to this namespace.
    pub(super) fn returns_to(&self, namespace: &str) -> Option<&dyn Returns> {
        let returns = self.returns()?;
        (!self.application.is_transient(namespace)).then_some(returns)
    }

    /// Makes a socket visible to others.
    pub(super) fn show(&self, spot: Spot) {
        self.index.insert(&self.clients, spot);
        if let Some(cluster) = &self.cluster {
            cluster.present(spot);
        }
    }

    /// Hides a socket from others.
    pub(super) fn hide(&self, spot: Spot, socket: &State) {
        self.index.remove(spot, socket);
        if let Some(cluster) = &self.cluster {
            cluster.gone(spot, socket);
        }
    }

    /// Takes note that a socket has left a room.
    pub(super) fn leave(&self, spot: Spot, socket: &State, room: &str) {
        self.index.leave(spot, socket.namespace(), room);
        if let Some(cluster) = self.cluster.as_ref().filter(|_| room != socket.id()) {
            cluster.left(socket.namespace(), room);
        }
    }

    /// A socket leaves a room that it is not in, or not yet.
    pub(super) fn leave_early(&self, spot: Spot, room: &str) {
        if let Some(cluster) = &self.cluster {
            cluster.leave_early(spot, room);
        }
    }

    /// Sends a packet to a session's client. Returns `false` if it has gone.
    pub(super) fn transmit(&self, key: Key, packet: &Packet, volatile: bool) -> bool {
        if self.parts.watched.is_watched() {
            self.parts.watched.count(Counted::Out(packet.bytes()));
        }
        parts::transmit(&self.parts, key, packet, volatile)
    }

    /// Does what a client's connection asks, after it has been told something.
    pub(super) fn run_outputs(&self, key: Key) {
        (self.run_outputs)(self, key);
    }
}

/// The socket whose `on_connect` is running at this moment.
#[derive(Default)]
pub(super) struct Asking(Cell<Option<Spot>>);

impl Asking {
    /// Calls `run`, which is the `on_connect` of this socket, or a step of it.
    pub(super) fn during<T>(&self, spot: Spot, run: impl FnOnce() -> T) -> T {
        let before = self.0.replace(Some(spot));
        let result = run();
        self.0.set(before);
        result
    }

    pub(super) fn spot(&self) -> Option<Spot> {
        self.0.get()
    }
}
