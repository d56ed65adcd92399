//! Which object holds a session.

use core::fmt;
use std::rc::Rc;

use dormouse_proto::engine::Revision;

use crate::request::Handshake;

/// Which Durable Object a new session is put into.
///
/// All sessions of one object share its memory (128 MB), its single thread
/// (about 1,000 requests a second) and its wakings. An object can hold 32,768
/// WebSockets.
///
/// Clients of an Engine.IO server are put into different objects by revision, even
/// with the same key: only so can the heartbeats of both be answered without
/// waking one. Those of a Socket.IO server talk to each other, so that both are in
/// one; there, the heartbeats of the revision with fewer clients wake it. Different
/// servers of one Worker have different objects.
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
    /// One of a fixed number of objects, chosen at random. The default is 8.
    /// More can be had at any time: the sid says where a session is.
    Shards(u32),
    /// One object for each key, which the function takes from the request: a
    /// room, a tenant. Sessions with the same key share an object; since clients
    /// choose their requests, see to it that they cannot choose any key.
    Key(Rc<dyn Fn(&Handshake) -> String>),
    /// An object of its own for every session: the fastest to make and the
    /// dearest to keep.
    PerSession,
}

impl Placement {
    /// One object for each key.
    pub fn key(key: impl Fn(&Handshake) -> String + 'static) -> Self {
        Self::Key(Rc::new(key))
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Shards(0))
    }

    /// The name of the object for a new session; none if it is to be an object
    /// of its own.
    pub(crate) fn choose(
        &self,
        path: &str,
        revision: Option<Revision>,
        handshake: &Handshake,
    ) -> Option<String> {
        match self {
            Self::Shards(count) => {
                let shard = (js_sys::Math::random() * f64::from(*count)) as u32;
                Some(name(path, revision, &shard.to_string()))
            }
            Self::Key(key) => Some(name(path, revision, &key(handshake))),
            Self::PerSession => None,
        }
    }

    /// The names of all objects, where they can be told.
    pub(crate) fn names(&self, path: &str) -> Option<Vec<String>> {
        let Self::Shards(count) = self else {
            return None;
        };
        let names =
            |revision| (0..*count).map(move |shard| name(path, Some(revision), &shard.to_string()));
        Some(names(Revision::V3).chain(names(Revision::V4)).collect())
    }

    /// The name of the object where both revisions are, and there is one for all
    /// clients, or for all with a key.
    pub(crate) fn name_of(&self, path: &str, key: Option<&str>) -> Option<String> {
        match (self, key) {
            (Self::Shards(1), _) => Some(name(path, None, "0")),
            (Self::Key(_), Some(key)) => Some(name(path, None, key)),
            (Self::Shards(_) | Self::Key(_) | Self::PerSession, _) => None,
        }
    }
}

/// Without a revision: an object that both are in.
fn name(path: &str, revision: Option<Revision>, key: &str) -> String {
    let revision = match revision {
        Some(Revision::V3) => "3",
        Some(Revision::V4) => "4",
        None => "*",
    };
    format!("{path} {revision} {key}")
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
        }
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

        fn handshake() -> Handshake {
            Handshake::new(&request("GET", "https://a.org/engine.io/?room=one", &[]))
        }

        #[wasm_bindgen_test]
        fn sessions_are_spread_over_all_shards() {
            for count in [1, 2, 8] {
                let placement = Placement::Shards(count);
                let mut chosen: Vec<_> = (0..500)
                    .filter_map(|_| placement.choose("/a/", Some(Revision::V4), &handshake()))
                    .collect();
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
            let choose = |revision| placement.choose("/a/", revision, &handshake());
            assert_eq!(choose(Some(Revision::V3)).as_deref(), Some("/a/ 3 one"));
            assert_eq!(choose(Some(Revision::V4)).as_deref(), Some("/a/ 4 one"));
            let placement = Placement::PerSession;
            assert_eq!(
                placement.choose("/a/", Some(Revision::V4), &handshake()),
                None
            );
        }
    }
}
