//! The choice of the object that holds a session.

mod candidates;
mod spread;

use core::any::Any;
use core::fmt;
use std::rc::Rc;

use dormouse_proto::cluster::{DEFAULT_HUBS, HubIndex, RELAY_FROM, hub_of};
use dormouse_proto::engine::Revision;
use wasm_bindgen::JsValue;
use web_sys::{Request, Response};
use worker::worker_sys::DurableObjectNamespace;

pub(crate) use self::spread::Candidates;
use self::spread::{KeyOf, Location};
use crate::request::Handshake;

/// The choice of the Durable Object that a new session is put into.
///
/// All sessions of one object share its memory (128 MB), its single thread
/// (about 1,000 requests a second) and its wakings. An object can hold 32,768
/// WebSockets.
///
/// Clients of an Engine.IO server are put into different objects by revision, even
/// with the same key: only then can the heartbeats of both be answered without
/// waking an object. Clients of a Socket.IO server talk to each other, so both
/// revisions are in one object; there, the heartbeats of the revision with fewer
/// clients wake it. The servers of one Worker have different objects.
///
/// ```
/// use dormouse::engine::{Engine, Placement};
///
/// let server = Engine::new().placement(Placement::key(|handshake| {
///     handshake.query("room").unwrap_or_default()
/// }));
/// # let _ = server;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Placement {
    /// One of a fixed number of objects, chosen at random. Default: 8. The number
    /// can be raised at any time, because the sid says where a session is.
    Shards(u32),
    /// One object for each key, which the function takes from the request: a room, a
    /// tenant. Sessions with the same key share an object. Since clients choose
    /// their requests, make sure that they cannot choose just any key.
    Key(Rc<dyn Fn(&Handshake) -> String>),
    /// A separate object for every session: the quickest to create and the most
    /// expensive to keep. Its storage is deleted with the session, unless the
    /// application has stored something there.
    PerSession,
    /// Many objects that are one Socket.IO server: see [`Placement::spread`].
    Spread(Spread),
}

/// Many objects that are one server: see [`Placement::spread`].
#[derive(Clone)]
pub struct Spread {
    /// The number of objects that new sessions are put into, on each continent if they are
    /// [by continent](Spread::by_continent).
    objects: u32,
    /// Those with the same key are in the same object while it has room.
    near: Option<KeyOf>,
    /// How many clients an object takes.
    pub(crate) capacity: Option<u32>,
    location: Location,
    /// From how many objects on they pass events on to one another.
    pub(crate) relay_from: u32,
    /// The number of hubs of each namespace, if it is not the default.
    pub(crate) hubs: Option<u32>,
    /// Clients can come back, so events are logged.
    pub(crate) logs: bool,
    /// The namespace to which they cannot.
    pub(crate) transient: Option<Rc<str>>,
    /// What makes the objects one server. The layer of Socket.IO knows its type. It is
    /// linked only where an application has such a placement, and so are the next two.
    pub(crate) linked: &'static dyn Any,
    /// Passes on a handshake.
    pub(crate) place: fn(Seeking<'_>) -> JsValue,
    check: fn(&Spread) -> Result<(), String>,
}

/// A handshake that seeks an object with room.
pub(crate) struct Seeking<'a> {
    pub(crate) spread: &'a Spread,
    /// The server's.
    pub(crate) path: &'a str,
    pub(crate) handshake: &'a Handshake,
    pub(crate) objects: DurableObjectNamespace,
    pub(crate) request: &'a Request,
    /// The answer if the instance ends meanwhile.
    pub(crate) cut_off: Response,
}

impl Placement {
    /// Returns a placement with one object for each key.
    pub fn key(key: impl Fn(&Handshake) -> String + 'static) -> Self {
        Self::Key(Rc::new(key))
    }

    /// Returns the remedy, if it cannot be served.
    pub(crate) fn check(&self) -> Result<(), String> {
        match self {
            Self::Shards(0) => Err("Placement::Shards takes a number over 0".to_owned()),
            Self::Spread(spread) => (spread.check)(spread),
            Self::Shards(_) | Self::Key(_) | Self::PerSession => Ok(()),
        }
    }

    /// Returns what makes many objects one server, if they are to be one.
    pub(crate) fn many(&self) -> Option<&Spread> {
        match self {
            Self::Spread(spread) => Some(spread),
            Self::Shards(_) | Self::Key(_) | Self::PerSession => None,
        }
    }

    /// Returns whether an object is of no use any more when its session is over.
    pub(crate) fn is_for_once(&self) -> bool {
        match self {
            Self::PerSession => true,
            Self::Shards(_) | Self::Key(_) | Self::Spread(_) => false,
        }
    }

    /// Returns the name of the object for a new session, or `None` for a new object
    /// without a name. [Many that are one server](Self::many) have a choice of their own.
    pub(crate) fn choose<'a>(
        &self,
        path: &str,
        revision: Option<Revision>,
        handshake: impl FnOnce() -> &'a Handshake,
    ) -> Option<String> {
        match self {
            Self::Shards(1) => Some(name(path, revision, "0")),
            Self::Shards(count) => {
                let shard = (js_sys::Math::random() * f64::from(*count)) as u32;
                Some(name(path, revision, &shard.to_string()))
            }
            Self::Key(key) => Some(name(path, revision, &key(handshake()))),
            Self::PerSession | Self::Spread(_) => None,
        }
    }

    /// Returns the names of all objects, if they can be listed.
    pub(crate) fn names(&self, path: &str) -> Option<Vec<String>> {
        let Self::Shards(count) = self else {
            return None;
        };
        let names =
            |revision| (0..*count).map(move |shard| name(path, Some(revision), &shard.to_string()));
        Some(names(Revision::V3).chain(names(Revision::V4)).collect())
    }

    /// Returns the name of the object that holds both revisions, if there is one for
    /// all clients, or for all with a key.
    pub(crate) fn name_of(&self, path: &str, key: Option<&str>) -> Option<String> {
        match (self, key) {
            (Self::Shards(1), _) => Some(name(path, None, "0")),
            (Self::Key(_), Some(key)) => Some(name(path, None, key)),
            (Self::Shards(_) | Self::Key(_) | Self::PerSession | Self::Spread(_), _) => None,
        }
    }
}

/// Returns the name of an object. Without a revision, it is one for both.
fn name(path: &str, revision: Option<Revision>, key: &str) -> String {
    let revision = match revision {
        Some(Revision::V3) => "3",
        Some(Revision::V4) => "4",
        None => "*",
    };
    format!("{path} {revision} {key}")
}

/// The name of what stands for all namespaces that are not defined by their own names.
/// Those of namespaces begin with a slash.
pub(crate) const DYNAMIC: &str = "*";

/// The namespace whose hubs hold the application's alarms.
const ALARMS: &str = "/";

/// The number of those that do. It never changes: an alarm would be left behind.
const ALARM_OBJECTS: u16 = 8;

impl Spread {
    pub(crate) fn new(
        objects: u32,
        linked: &'static dyn Any,
        place: fn(Seeking<'_>) -> JsValue,
    ) -> Self {
        Self {
            objects,
            near: None,
            capacity: None,
            location: Location::default(),
            relay_from: RELAY_FROM as u32,
            hubs: None,
            logs: false,
            transient: None,
            linked,
            place,
            check: Self::find_mistake,
        }
    }

    /// Returns the name of the hub that leads where these rooms are meant; none is the
    /// whole namespace.
    pub(crate) fn leading_hub(&self, path: &str, namespace: &str, rooms: &[String]) -> String {
        let count = self.hubs_of(namespace);
        let hubs = rooms.iter().map(|room| hub_of(room, count));
        self.hub_name(path, namespace, hubs.min().unwrap_or(hub_of("", count)))
    }

    /// Returns whether a namespace's events are logged.
    pub(crate) fn logs(&self, namespace: &str) -> bool {
        self.logs && namespace != DYNAMIC && self.transient.as_deref() != Some(namespace)
    }

    /// Returns the number of hubs of a namespace. One log has one order.
    pub(crate) fn hubs_of(&self, namespace: &str) -> u16 {
        match self.logs(namespace) {
            true => 1,
            false => self.hub_count(),
        }
    }

    /// Returns the number of hubs of a namespace whose events are not logged.
    pub(crate) fn hub_count(&self) -> u16 {
        let hubs = self.hubs.map(u16::try_from);
        hubs.map_or(DEFAULT_HUBS, |hubs| hubs.unwrap_or(u16::MAX))
    }

    /// Returns the name of a hub: the object that orders the events of some rooms of a
    /// namespace. One that logs them has another name than one that does not.
    pub(crate) fn hub_name(&self, path: &str, namespace: &str, hub: HubIndex) -> String {
        match self.logs(namespace) {
            true => format!("{path} l {namespace}"),
            false => hub_name(path, namespace, hub.0),
        }
    }

    /// Returns the name of the object that has the application's alarm of this name: there
    /// is one of a name, whoever sets it, and however many hubs there are now.
    pub(crate) fn object_of_alarm(&self, path: &str, name: &str) -> String {
        let HubIndex(index) = hub_of(name, ALARM_OBJECTS);
        hub_name(path, ALARMS, index)
    }
}

fn hub_name(path: &str, namespace: &str, index: u16) -> String {
    format!("{path} h {namespace} {index}")
}

impl Default for Placement {
    fn default() -> Self {
        Self::Shards(8)
    }
}

impl fmt::Debug for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shards(count) => write!(f, "Shards({count})"),
            Self::Key(_) => f.write_str("Key(…)"),
            Self::PerSession => f.write_str("PerSession"),
            Self::Spread(spread) => spread.fmt(f),
        }
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spread")
            .field("objects", &self.objects)
            .field("near", &self.near)
            .field("capacity", &self.capacity)
            .field("location", &self.location)
            .field("relay_from", &self.relay_from)
            .field("hubs", &self.hubs)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn shards_are_all_known_by_name() {
        let names = Placement::Shards(2).names("/engine.io/").unwrap();
        let expect = [
            "/engine.io/ 3 0",
            "/engine.io/ 3 1",
            "/engine.io/ 4 0",
            "/engine.io/ 4 1",
        ];
        assert_eq!(names, expect);
        let count = |placement: Placement| placement.names("/engine.io/").map(|names| names.len());
        assert_eq!(count(Placement::default()), Some(16));
        assert_eq!(count(Placement::Shards(0)), Some(0));
        assert_eq!(count(Placement::key(|_| String::new())), None);
        assert_eq!(count(Placement::PerSession), None);
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn names_are_unlike_each_other() {
        // A path has no space, so no key can make one object's name another's.
        let one = name("/a/", Some(Revision::V4), "4 x");
        for other in [
            name("/b/", Some(Revision::V4), "4 x"),
            name("/a/", Some(Revision::V3), "4 x"),
            name("/a/", Some(Revision::V4), "x"),
            name("/a/", Some(Revision::V4), "4 x "),
        ] {
            assert_ne!(one, other);
        }
    }

    #[cfg(target_arch = "wasm32")]
    mod in_browser {
        use super::*;
        use crate::in_browser::request;
        use crate::request::Source;

        fn handshake() -> Handshake {
            Handshake::new(
                &request("GET", "https://a.org/engine.io/?room=one", &[]),
                Source::default(),
            )
        }

        #[wasm_bindgen_test]
        fn sessions_are_spread_over_all_shards() {
            for count in [1, 2, 8] {
                let placement = Placement::Shards(count);
                let handshake = handshake();
                let choose = |_| placement.choose("/a/", Some(Revision::V4), || &handshake);
                let mut chosen: Vec<_> = (0..500).filter_map(choose).collect();
                assert_eq!(chosen.len(), 500);
                let names = placement.names("/a/").unwrap();
                assert!(chosen.iter().all(|name| names.contains(name)));
                chosen.sort();
                chosen.dedup();
                assert_eq!(chosen.len(), count as usize);
            }
        }

        #[wasm_bindgen_test]
        fn a_key_is_taken_from_the_request() {
            let placement = Placement::key(|handshake| handshake.query("room").unwrap_or_default());
            let handshake = handshake();
            let choose = |revision| placement.choose("/a/", revision, || &handshake);
            assert_eq!(choose(Some(Revision::V3)).as_deref(), Some("/a/ 3 one"));
            assert_eq!(choose(Some(Revision::V4)).as_deref(), Some("/a/ 4 one"));
            let placement = Placement::PerSession;
            assert_eq!(
                placement.choose("/a/", Some(Revision::V4), || &handshake),
                None
            );
        }
    }
}
