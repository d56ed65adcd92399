//! The traffic between clients and the object, and the network's treatment of it.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::random::Random;
use crate::Timestamp;
use crate::engine::{Answer, ConnId, Format, Frame};

/// From a client to the object.
#[derive(Clone, Debug)]
pub(super) enum Up {
    Get(ConnId, Format),
    Post(ConnId),
    Body(ConnId, Frame<'static>),
    /// A WebSocket: the first connection of its client, or an upgrade.
    Socket(ConnId),
    Frame(ConnId, Frame<'static>),
    SocketClosed(ConnId),
}

/// From the object to a client.
#[derive(Clone, Debug)]
pub(super) enum Down {
    Answer(ConnId, Answer),
    SocketOpened(ConnId),
    Frame(ConnId, Frame<'static>),
    /// Closed, or never opened.
    SocketClosed(ConnId),
}

#[derive(Clone, Debug)]
pub(super) enum Travelling {
    Up(usize, Up),
    Down(usize, Down),
    /// The network tells the object at last that a client is unreachable.
    Lost(usize),
}

/// Delays everything by chance. What one connection carries in one direction
/// arrives in order; apart from that, anything overtakes anything.
pub(super) struct Network {
    longest_delay: u64,
    /// By arrival, then by departure.
    travelling: BTreeMap<(Timestamp, u64), Travelling>,
    departures: u64,
    /// The last arrival of each connection, upwards and downwards.
    arrivals: BTreeMap<(ConnId, bool), Timestamp>,
}

impl Network {
    pub(super) fn new(longest_delay: u64) -> Self {
        Self {
            longest_delay,
            travelling: BTreeMap::new(),
            departures: 0,
            arrivals: BTreeMap::new(),
        }
    }

    pub(super) fn send(&mut self, now: Timestamp, random: &mut Random, what: Travelling) {
        let way = match &what {
            Travelling::Up(_, up) => match up {
                Up::Get(conn, _)
                | Up::Post(conn)
                | Up::Body(conn, _)
                | Up::Socket(conn)
                | Up::Frame(conn, _)
                | Up::SocketClosed(conn) => Some((*conn, true)),
            },
            Travelling::Down(_, down) => match down {
                Down::Answer(conn, _)
                | Down::SocketOpened(conn)
                | Down::Frame(conn, _)
                | Down::SocketClosed(conn) => Some((*conn, false)),
            },
            Travelling::Lost(_) => None,
        };
        let mut arrival = now + Duration::from_millis(1 + random.below(self.longest_delay));
        if let Some(way) = way {
            let last = self.arrivals.entry(way).or_default();
            arrival = arrival.max(*last);
            *last = arrival;
        }
        self.departures += 1;
        self.travelling.insert((arrival, self.departures), what);
    }

    pub(super) fn next_arrival(&self) -> Option<Timestamp> {
        let ((arrival, _), _) = self.travelling.first_key_value()?;
        Some(*arrival)
    }

    pub(super) fn arrive(&mut self) -> Option<Travelling> {
        let (_, what) = self.travelling.pop_first()?;
        Some(what)
    }

    /// Cuts a client off: what travels to and from it is lost.
    pub(super) fn cut(&mut self, cut: usize) {
        self.travelling.retain(|_, what| match what {
            Travelling::Up(client, _) | Travelling::Down(client, _) => *client != cut,
            Travelling::Lost(_) => true,
        });
    }
}
