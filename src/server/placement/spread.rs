//! The options of many objects that are one server, and which of them a session is put
//! into.

use core::fmt;
use std::rc::Rc;

use dormouse_proto::cluster::MAX_HUBS;

use super::candidates::candidates;
use super::{Placement, Spread};
use crate::request::Handshake;

/// The maximum number of objects.
const MAX_OBJECTS: u32 = 1_000_000;

/// The maximum number where sessions have keys, each of which is weighed for each object.
const MAX_NEAR: u32 = 10_000;

/// The maximum number of WebSockets that the platform lets an object have.
const MAX_CAPACITY: u32 = 32_768;

/// The platform's hints for where an object is created.
const LOCATIONS: [&str; 9] = [
    "wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me",
];

/// Where objects are created.
#[derive(Clone, Debug, Default)]
pub(crate) enum Location {
    /// Near the first client of each.
    #[default]
    OfFirst,
    /// Near this place, for all of them.
    Hint(String),
    /// On the continent of their clients: each has objects of its own.
    OfContinent,
}

/// The key of a handshake.
#[derive(Clone)]
pub(crate) struct KeyOf(pub(crate) Rc<dyn Fn(&Handshake) -> String>);

impl fmt::Debug for KeyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The objects that a session may be put into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Candidates {
    /// Their names, in the order in which they are asked.
    pub(crate) names: Vec<String>,
    /// Where one is created that is not there yet.
    pub(crate) location: Option<String>,
}

impl Spread {
    /// Puts sessions with the same key into the same object, for as long as there is room:
    /// a room, a tenant, whatever people have in common who talk to each other. When it is
    /// full, they are put into the next one. Default: any object, at random.
    ///
    /// The function takes the key from the request, as with
    /// [`Placement::key`](crate::Placement::key). Here it decides nothing but the costs: a
    /// room whose members are all in one object is served there, without a call, and one
    /// whose members are in ten objects needs ten calls for each event.
    ///
    /// ```
    /// use dormouse::{Placement, Server};
    ///
    /// let placement = Placement::spread(100)
    ///     .near(|handshake| handshake.query("room").unwrap_or_default())
    ///     .capacity(5_000);
    /// let server = Server::new().placement(placement);
    /// # let _ = server;
    /// ```
    pub fn near(mut self, key: impl Fn(&Handshake) -> String + 'static) -> Self {
        self.near = Some(KeyOf(Rc::new(key)));
        self
    }

    /// Sets how many clients an object takes, at most 32,768. Default: as many WebSockets
    /// as the platform lets it have, which are 32,768, and as its memory takes
    /// ([`max_memory`](crate::Server::max_memory)).
    ///
    /// A full object sends a new client on to another one: to eight in all, and when those
    /// are full too, the client is told so with status 503. The clients that poll and have
    /// not been heard of since the object has slept are not counted.
    pub fn capacity(mut self, clients: u32) -> Self {
        self.capacity = Some(clients);
        self
    }

    /// Has each continent's clients put into objects there, as many as the placement has
    /// objects, so that people are near what they are connected to. Rooms reach all of
    /// them. Default: one set of objects, each of which is created near its first client.
    ///
    /// The continent is that of Cloudflare's `cf.continent`. Clients of Antarctica, and of
    /// nowhere, as through Tor, share a set that is created near the first of them. An
    /// object stays where it was created.
    ///
    /// ```
    /// use dormouse::{Placement, Server};
    ///
    /// let server = Server::new().placement(Placement::spread(4).by_continent());
    /// # let _ = server;
    /// ```
    pub fn by_continent(mut self) -> Self {
        self.location = Location::OfContinent;
        self
    }

    /// Has objects created near a place, and not near the first client of each: one of
    /// the platform's
    /// [location hints](https://developers.cloudflare.com/durable-objects/reference/data-location/),
    /// such as `weur`. It is a hint, and nothing for objects that are there already.
    pub fn location(mut self, hint: &str) -> Self {
        self.location = Location::Hint(hint.to_owned());
        self
    }

    /// Sets from how many objects on an event is passed on by some of them. Default: 64.
    ///
    /// What orders a room's events, its hub, calls each object with members. Where there
    /// are as many as this, it calls one in 32 of them, which call the others: it can order
    /// more events a second, and each takes a hop more. The number of calls, and so the
    /// price, is the same. A number above that of all objects turns it off.
    ///
    /// ```
    /// use dormouse::{Placement, Server};
    ///
    /// // Few events, which are to arrive soon.
    /// let placement = Placement::spread(100).relay_from(1_000);
    /// let server = Server::new().placement(placement);
    /// # let _ = server;
    /// ```
    pub fn relay_from(mut self, objects: u32) -> Self {
        self.relay_from = objects;
        self
    }

    /// Sets the number of hubs of each namespace, at most 256. Default: 8.
    ///
    /// A hub is an object that orders the events of some rooms, and each room is led by one
    /// of them. More of them can order more events a second, as long as these are for many
    /// rooms. Fewer of them cost less where an event is for many rooms at once, since a hub
    /// asks the others for theirs. What is for a whole namespace goes through one of them,
    /// however many there are.
    ///
    /// It can be changed with any deploy: the rooms of sockets that outlive it move to other
    /// hubs. As long as there are objects of both builds, an event may miss sockets in those
    /// of the other one.
    ///
    /// With connection state [recovery](crate::Server::recovery), a namespace has one hub, and
    /// any other number is reported at the start.
    ///
    /// ```
    /// use dormouse::{Placement, Server};
    ///
    /// // Many rooms, and many events in each.
    /// let server = Server::new().placement(Placement::spread(64).hubs(32));
    /// # let _ = server;
    /// ```
    pub fn hubs(mut self, hubs: u32) -> Self {
        self.hubs = Some(hubs);
        self
    }

    /// Returns the remedy, if it cannot be served.
    pub(super) fn find_mistake(&self) -> Result<(), String> {
        if self.objects == 0 || self.objects > MAX_OBJECTS {
            return Err(format!(
                "Placement::spread takes a number over 0 and at most {MAX_OBJECTS}"
            ));
        }
        if self.near.is_some() && self.objects > MAX_NEAR {
            return Err(format!(
                "with near, there may be {MAX_NEAR} objects at most"
            ));
        }
        if let Some(capacity) = self.capacity
            && (capacity == 0 || capacity > MAX_CAPACITY)
        {
            return Err(format!(
                "the capacity of an object must be over 0 and at most {MAX_CAPACITY}"
            ));
        }
        if self.relay_from < 2 {
            return Err("relay_from takes a number over 1".to_owned());
        }
        if self
            .hubs
            .is_some_and(|hubs| hubs == 0 || hubs > MAX_HUBS.into())
        {
            return Err(format!("hubs takes a number over 0 and at most {MAX_HUBS}"));
        }
        match &self.location {
            Location::Hint(hint) if !LOCATIONS.contains(&&**hint) => Err(format!(
                "\"{hint}\" is not a location; write one of {}",
                LOCATIONS.join(", ")
            )),
            Location::Hint(_) | Location::OfFirst | Location::OfContinent => Ok(()),
        }
    }

    /// Returns the objects that a new session may be put into.
    pub(crate) fn candidates(&self, path: &str, handshake: &Handshake) -> Candidates {
        let key = self.near.as_ref().map(|KeyOf(key)| key(handshake));
        let region = match &self.location {
            Location::OfContinent => handshake
                .cf()
                .and_then(|cf| cf.continent())
                .and_then(|continent| location_of(&continent)),
            Location::OfFirst | Location::Hint(_) => None,
        };
        let random = |below| (js_sys::Math::random() * f64::from(below)) as u32;
        let numbers = candidates(self.objects, key.as_deref(), random).into_iter();
        let location = match (&self.location, region) {
            (Location::Hint(hint), _) => Some(hint.clone()),
            (_, region) => region.map(str::to_owned),
        };
        Candidates {
            names: numbers
                .map(|number| object_name(path, region, number))
                .collect(),
            location,
        }
    }
}

/// Returns the location hint for a continent, by its code in `cf.continent`.
fn location_of(continent: &str) -> Option<&'static str> {
    Some(match continent {
        "AF" => "afr",
        "AS" => "apac",
        "EU" => "weur",
        "NA" => "enam",
        "OC" => "oc",
        "SA" => "sam",
        _ => return None,
    })
}

/// Returns the name of an object with sessions. It is unlike that of any other placement,
/// and of a hub: what follows the path there is a revision, `*`, `h` or `l`.
fn object_name(path: &str, region: Option<&str>, number: u32) -> String {
    match region {
        Some(region) => format!("{path} s {region} {number}"),
        None => format!("{path} s {number}"),
    }
}

impl From<Spread> for Placement {
    fn from(spread: Spread) -> Self {
        Self::Spread(spread)
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn continents_have_a_location_that_the_platform_knows() {
        for continent in ["AF", "AS", "EU", "NA", "OC", "SA"] {
            assert!(
                LOCATIONS.contains(&location_of(continent).unwrap()),
                "{continent}"
            );
        }
        for other in ["AN", "T1", "", "eu"] {
            assert_eq!(location_of(other), None, "{other}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_cannot_be_served() {
        let check = |placement: Spread, is_fine: bool| {
            assert_eq!(placement.find_mistake().is_ok(), is_fine, "{placement:?}");
        };
        for (objects, is_fine) in [(0, false), (1, true), (1_000_000, true), (1_000_001, false)] {
            check(Placement::spread(objects), is_fine);
        }
        for (objects, is_fine) in [(10_000, true), (10_001, false)] {
            let near = Placement::spread(objects).near(|_| String::new());
            check(near, is_fine);
        }
        for (capacity, is_fine) in [(0, false), (1, true), (32_768, true), (32_769, false)] {
            check(Placement::spread(2).capacity(capacity), is_fine);
        }
        for (objects, is_fine) in [(1, false), (2, true), (u32::MAX, true)] {
            check(Placement::spread(2).relay_from(objects), is_fine);
        }
        for (hubs, is_fine) in [(0, false), (1, true), (256, true), (257, false)] {
            check(Placement::spread(2).hubs(hubs), is_fine);
        }
        for (hint, is_fine) in [("weur", true), ("me", true), ("", false), ("Europe", false)] {
            check(Placement::spread(2).location(hint), is_fine);
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn objects_have_names_of_their_own() {
        use dormouse_proto::engine::Revision;

        let ours = [
            object_name("/a/", None, 0),
            object_name("/a/", Some("weur"), 0),
        ];
        assert_eq!(ours, ["/a/ s 0", "/a/ s weur 0"]);
        for key in ["0", "s 0", "weur 0", " 0"] {
            for revision in [None, Some(Revision::V3), Some(Revision::V4)] {
                assert!(!ours.contains(&super::super::name("/a/", revision, key)));
            }
            assert!(!ours.contains(&super::super::hub_name("/a/", key, 0)));
        }
    }

    #[cfg(target_arch = "wasm32")]
    mod in_browser {
        use js_sys::Reflect;

        use super::*;
        use crate::in_browser::{js, request};
        use crate::request::Source;

        fn from(continent: &str, room: &str) -> Handshake {
            let request = request("GET", &format!("https://a.org/io/?room={room}"), &[]);
            let cf = js("return { continent: x };", continent);
            Reflect::set(request.raw(), &"cf".into(), &cf).unwrap();
            Handshake::new(&request, Source::default())
        }

        #[wasm_bindgen_test]
        fn clients_are_put_into_objects_on_their_continent() {
            let placement = Placement::spread(3).by_continent();
            for (continent, region) in [("EU", Some("weur")), ("SA", Some("sam")), ("AN", None)] {
                let found = placement.candidates("/a/", &from(continent, ""));
                assert_eq!(found.location.as_deref(), region);
                let mut names = found.names;
                names.sort();
                let expect: Vec<_> = (0..3)
                    .map(|number| object_name("/a/", region, number))
                    .collect();
                assert_eq!(names, expect);
            }
        }

        #[wasm_bindgen_test]
        fn those_with_a_key_are_near_each_other_and_keep_to_the_hint() {
            let placement = Placement::spread(100)
                .near(|handshake| handshake.query("room").unwrap_or_default())
                .location("oc");
            let of = |room| placement.candidates("/a/", &from("EU", room));
            assert_eq!(of("one").names[..4], of("one").names[..4]);
            assert_ne!(of("one").names[..4], of("two").names[..4]);
            assert_eq!(of("one").location.as_deref(), Some("oc"));
        }
    }
}
