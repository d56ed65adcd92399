//! What a client's sockets sleep by.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Auth, Client, ConnectRequest, Decoder, Protocol, Settings, Socket};
use crate::Timestamp;
use crate::engine::SnapshotError;

/// The layout of the bytes below. Another number is another layout; there is no
/// reading across.
const VERSION: u8 = 1;

/// Everything that must outlive sleep, lent from the client.
#[derive(Serialize)]
struct Saving<'a> {
    protocol: Protocol,
    decoder: &'a Decoder,
    sockets: &'a [(String, Socket)],
    waiting: Vec<(&'a str, SavedAuth)>,
    join_by: Option<Timestamp>,
}

/// The same, read back.
#[derive(Deserialize)]
struct Saved {
    protocol: Protocol,
    decoder: Decoder,
    sockets: Vec<(String, Socket)>,
    waiting: Vec<(String, SavedAuth)>,
    join_by: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
enum SavedAuth {
    None,
    Json(String),
    Query(String),
}

/// Falling asleep and waking up.
impl Client {
    /// Everything that must outlive sleep, as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let waiting = self.waiting.iter().map(|request| {
            let auth = match &request.auth {
                Auth::None => SavedAuth::None,
                Auth::Json(json) => SavedAuth::Json((**json).to_owned()),
                Auth::Query(query) => SavedAuth::Query((**query).to_owned()),
            };
            (&*request.namespace, auth)
        });
        let saving = Saving {
            protocol: self.protocol,
            decoder: &self.decoder,
            sockets: &self.sockets,
            waiting: waiting.collect(),
            join_by: self.join_by,
        };
        // Writing to a growing buffer fails for no type that is serialized here.
        postcard::to_allocvec(&(VERSION, saving)).unwrap_or_default()
    }

    /// The client of a [`snapshot`](Self::snapshot).
    ///
    /// # Errors
    ///
    /// The bytes are no snapshot, or one of another version.
    pub fn restore(snapshot: &[u8], settings: Settings) -> Result<Self, SnapshotError> {
        let (version, rest) =
            postcard::take_from_bytes::<u8>(snapshot).map_err(|_| SnapshotError::Malformed)?;
        if version != VERSION {
            return Err(SnapshotError::Version);
        }
        let (saved, rest) =
            postcard::take_from_bytes::<Saved>(rest).map_err(|_| SnapshotError::Malformed)?;
        if !rest.is_empty() {
            return Err(SnapshotError::Malformed);
        }
        let waiting: VecDeque<_> = saved
            .waiting
            .into_iter()
            .map(|(namespace, auth)| ConnectRequest {
                namespace: Cow::Owned(namespace),
                auth: match auth {
                    SavedAuth::None => Auth::None,
                    SavedAuth::Json(json) => Auth::Json(Cow::Owned(json)),
                    SavedAuth::Query(query) => Auth::Query(Cow::Owned(query)),
                },
            })
            .collect();
        Ok(Self {
            settings,
            protocol: saved.protocol,
            decoder: saved.decoder,
            sockets: saved.sockets,
            waiting,
            join_by: saved.join_by,
            changed: false,
        })
    }
}
