//! What is numbered in the memory of one object: itself, and its sockets.

use core::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

use dormouse::{Io, Socket, WeakIo, WeakSocket};
use dormouse_proto::Map;

use crate::host::host;

/// The least number of sockets among which lost ones are looked for.
const SWEEP_AT: usize = 64;

/// An object, as long as it is awake. It is dropped with the object's memory, and so are
/// the numbers that it has given.
pub(crate) struct Here {
    /// Its number. It is never 0.
    pub(crate) number: u32,
    sockets: RefCell<Map<u32, WeakSocket>>,
    /// The numbers of the sockets, by id.
    numbers: RefCell<Map<Box<str>, u32>>,
    last: Cell<u32>,
    /// The number of sockets from which those are looked for that have gone unheard: their
    /// clients left while the application decided about them.
    sweep_at: Cell<usize>,
    /// Any namespace: it leads to all others.
    any: RefCell<Option<WeakIo>>,
}

thread_local! {
    static OBJECTS: RefCell<Map<u32, Weak<Here>>> = const { RefCell::new(Map::new()) };
}

impl Default for Here {
    fn default() -> Self {
        Self {
            number: host().map_or(0, |host| host.begin()),
            sockets: RefCell::default(),
            numbers: RefCell::default(),
            last: Cell::default(),
            sweep_at: Cell::new(SWEEP_AT),
            any: RefCell::default(),
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        let number = self.number;
        OBJECTS.with_borrow_mut(|objects| objects.remove(&number));
        if let Some(host) = host() {
            host.forget(number);
        }
    }
}

impl Here {
    /// Returns the object of a socket, and the socket's number.
    pub(crate) fn of(socket: &Socket) -> (Rc<Self>, u32) {
        let here = socket.memory::<Self>();
        let number = here.number(socket);
        (here, number)
    }

    /// Returns the object that a namespace is used in, unless this is elsewhere.
    pub(crate) fn of_namespace(io: &Io) -> Option<Rc<Self>> {
        let here = io.memory::<Self>()?;
        here.list(io);
        Some(here)
    }

    /// Lets the object be found by its number.
    fn list(self: &Rc<Self>, io: &Io) {
        if self.any.borrow().is_none() {
            self.any.replace(io.downgrade());
            let me = Rc::downgrade(self);
            OBJECTS.with_borrow_mut(|objects| objects.insert(self.number, me));
        }
    }

    /// Returns the object of this number, unless it has lost its memory.
    pub(crate) fn find(number: u32) -> Option<Rc<Self>> {
        OBJECTS.with_borrow(|objects| objects.get(&number)?.upgrade())
    }

    /// Returns the number of a socket. A client that joins again is another socket, even if
    /// the id is the same.
    fn number(self: &Rc<Self>, socket: &Socket) -> u32 {
        let known = self.numbers.borrow().get(socket.id()).copied();
        if let Some(number) = known {
            let sockets = self.sockets.borrow();
            if sockets.get(&number).is_some_and(|known| known.is(socket)) {
                return number;
            }
        }
        let number = self.last.get().wrapping_add(1);
        self.last.set(number);
        if number == 1 {
            self.list(&socket.io());
        }
        if self.sockets.borrow().len() >= self.sweep_at.get() {
            self.sweep();
        }
        self.sockets.borrow_mut().insert(number, socket.downgrade());
        self.numbers.borrow_mut().insert(socket.id().into(), number);
        number
    }

    /// Returns the socket of this number, unless it has gone.
    pub(crate) fn socket(&self, number: u32) -> Option<Socket> {
        self.sockets.borrow().get(&number)?.upgrade()
    }

    /// Returns a namespace of the server, from within this object.
    pub(crate) fn namespace(&self, name: &str) -> Option<Io> {
        let any = self.any.borrow().as_ref()?.upgrade()?;
        Some(any.of(name))
    }

    /// Forgets the sockets that have gone unheard. It happens when their number has
    /// doubled, so that each socket is looked at a few times at most.
    fn sweep(&self) {
        let gone: Vec<u32> = {
            let sockets = self.sockets.borrow();
            let all = sockets
                .iter()
                .map(|(number, weak)| (*number, weak.upgrade()));
            all.filter(|(_, socket)| socket.as_ref().is_none_or(|it| it.transport().is_none()))
                .map(|(number, _)| number)
                .collect()
        };
        for number in gone {
            self.remove(number);
            if let Some(host) = host() {
                host.lost(self.number, number);
            }
        }
        let left = self.sockets.borrow().len();
        self.sweep_at.set((left * 2).max(SWEEP_AT));
    }

    /// Forgets a socket that has gone.
    pub(crate) fn remove(&self, number: u32) {
        let Some(socket) = self.sockets.borrow_mut().remove(&number) else {
            return;
        };
        let id = socket.upgrade().map(|socket| Box::from(socket.id()));
        let mut numbers = self.numbers.borrow_mut();
        if let Some(id) = id.filter(|id| numbers.get(id) == Some(&number)) {
            numbers.remove(&id);
        }
    }
}
