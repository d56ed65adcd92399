//! What happens in an object, told to whoever watches it.
//!
//! Nobody does, most of the time: whoever would tell looks at one cell then.

use core::cell::{Cell, RefCell};
use std::rc::Rc;

use dormouse_proto::Timestamp;
use dormouse_proto::engine::{self, Transport};
use dormouse_proto::socket::{Args, Reason};

use super::Remote;

/// Somebody who watches an object.
///
/// It is told in the middle of anything: it takes note, and does nothing else.
pub(crate) trait Watcher {
    /// Takes note of something that is only counted.
    fn count(&self, what: Counted);

    /// Returns whether it wants to hear of single sockets, too.
    fn hears_all(&self) -> bool;

    /// Takes note of what a socket of a namespace does.
    fn tell(&self, namespace: &str, socket: &str, news: News<'_>);
}

/// Something that is only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// A session was opened.
    Opened,
    Closed(engine::Reason),
    /// A client has sent a message of so many bytes.
    In(usize),
    /// A client was sent a packet of so many bytes.
    Out(usize),
}

/// What has happened to a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) enum News<'a> {
    Connected(&'a Remote),
    Disconnected(Reason),
    /// Its client has changed the transport.
    Transport(Transport),
    /// The application keeps this JSON of it.
    Data(&'a str),
    /// It has entered a room.
    Joined(&'a str),
    Left(&'a str),
    /// Its client has sent an event, or was sent one. The name comes first.
    Received(&'a Args<'a>),
    Sent(&'a Args<'a>),
}

/// An object as it is watched.
pub(crate) struct Watched {
    /// When the object was created or woken.
    since: Timestamp,
    watcher: RefCell<Option<Rc<dyn Watcher>>>,
    is_watched: Cell<bool>,
    hears_all: Cell<bool>,
}

impl Watched {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self {
            since,
            watcher: RefCell::default(),
            is_watched: Cell::new(false),
            hears_all: Cell::new(false),
        }
    }

    /// Returns when the object was created or woken.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }

    /// Sets who watches from now on, or that nobody does.
    pub(crate) fn set(&self, watcher: Option<Rc<dyn Watcher>>) {
        let hears_all = watcher.as_ref().is_some_and(|watcher| watcher.hears_all());
        self.is_watched.set(watcher.is_some());
        self.hears_all.set(hears_all);
        self.watcher.replace(watcher);
    }

    /// Returns whether anybody watches.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.get()
    }

    /// Returns whether anybody wants to hear of single sockets.
    pub(crate) fn hears_all(&self) -> bool {
        self.hears_all.get()
    }

    /// Has something counted.
    #[inline(never)]
    pub(crate) fn count(&self, what: Counted) {
        if let Some(watcher) = self.watcher() {
            watcher.count(what);
        }
    }

    /// Tells of a socket.
    #[inline(never)]
    pub(crate) fn tell(&self, namespace: &str, socket: &str, news: News<'_>) {
        if let Some(watcher) = self.watcher() {
            watcher.tell(namespace, socket, news);
        }
    }

    /// Whoever watches may say that it does not any more while it is told.
    fn watcher(&self) -> Option<Rc<dyn Watcher>> {
        self.watcher.borrow().clone()
    }
}

/// How many clients are in an object, and how many sockets in each of its namespaces.
#[derive(Debug, Default)]
pub(crate) struct Census {
    pub(crate) clients: usize,
    /// Those of them that use polling.
    pub(crate) polling: usize,
    /// In the order of their names.
    pub(crate) namespaces: Vec<(String, usize)>,
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[derive(Default)]
    struct Noting {
        counted: RefCell<Vec<Counted>>,
        hears_all: bool,
    }

    impl Watcher for Noting {
        fn count(&self, what: Counted) {
            self.counted.borrow_mut().push(what);
        }

        fn hears_all(&self) -> bool {
            self.hears_all
        }

        fn tell(&self, _namespace: &str, _socket: &str, _news: News<'_>) {}
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn whoever_watches_hears_what_they_want_to() {
        let watched = Watched::new(Timestamp::from_millis(7));
        assert!(!watched.is_watched() && !watched.hears_all());
        watched.count(Counted::Opened);

        let noting = Rc::new(Noting::default());
        watched.set(Some(noting.clone()));
        assert!(watched.is_watched() && !watched.hears_all());
        watched.count(Counted::In(3));
        assert_eq!(*noting.counted.borrow(), [Counted::In(3)]);

        let all = Noting {
            hears_all: true,
            ..Noting::default()
        };
        watched.set(Some(Rc::new(all)));
        assert!(watched.is_watched() && watched.hears_all());
        watched.set(None);
        assert!(!watched.is_watched() && !watched.hears_all());
        assert_eq!(watched.since(), Timestamp::from_millis(7));
    }
}
