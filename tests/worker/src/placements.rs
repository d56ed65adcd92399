//! Servers of many objects, with little room in each. How many there are,
//! `globalThis.DORMOUSE_TEST_OBJECTS` says.

use dormouse::{Placement, Server};
use worker::js_sys::{self, Reflect};

use crate::socket::server;

pub(crate) fn servers() -> [Server; 3] {
    let placed = Placement::spread(objects()).capacity(2);
    let near = Placement::spread(20)
        .near(|handshake| handshake.query("room").unwrap_or_default())
        .capacity(3);
    [
        server("/placed/").placement(placed),
        server("/near/").placement(near),
        server("/continents/").placement(Placement::spread(2).by_continent()),
    ]
}

fn objects() -> u32 {
    let objects = Reflect::get(&js_sys::global(), &"DORMOUSE_TEST_OBJECTS".into());
    let objects = objects.ok().and_then(|objects| objects.as_f64());
    objects.map_or(3, |objects| objects as u32)
}
