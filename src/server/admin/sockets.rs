//! Sockets as the UI reads them.

use dormouse_proto::sort;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::{MAX_LIST, MAX_SOCKETS};
use crate::api::Io;
use crate::port::watch::Census;
use crate::port::{Operation, Page, Remote, Reply, Request, Selection, Target};
use crate::request::Handshake;

/// How many sockets are fetched at once: with their handshakes, they may have 1 MB.
const PAGE: usize = 100;

/// A socket.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described<'a> {
    id: &'a str,
    client_id: &'a str,
    transport: Option<&'static str>,
    nsp: &'a str,
    data: Data<'a>,
    /// Without what is said to be known by the server alone.
    handshake: Handshake,
    rooms: &'a [String],
}

/// What the application keeps of a socket, as JSON. The UI wants an object where there is
/// nothing.
pub(super) struct Data<'a>(pub(super) Option<&'a str>);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: Option<&RawValue> = self.0.and_then(|json| serde_json::from_str(json).ok());
        match raw {
            Some(raw) => raw.serialize(serializer),
            None => serializer.collect_map::<&str, &str, _>([]),
        }
    }
}

/// Describes a socket.
pub(super) fn describe(namespace: &str, remote: &Remote) -> Option<Box<RawValue>> {
    let described = Described {
        id: &remote.id,
        client_id: &remote.client,
        transport: remote.transport.map(|transport| transport.as_str()),
        nsp: namespace,
        data: Data(remote.data.as_deref()),
        handshake: Handshake::from(&remote.handshake).without_credentials(),
        rooms: &remote.rooms,
    };
    to_raw_value(&described).ok()
}

/// Lists the sockets of all namespaces, as many as a list may have. They come into memory.
pub(super) async fn list(io: &Io) -> Vec<Box<RawValue>> {
    let (mut listed, mut bytes) = (Vec::new(), 0);
    for namespace in namespaces(io) {
        let mut after = None;
        loop {
            let page = fetch(io, &namespace, after.take()).await;
            for remote in &page {
                let described = describe(&namespace, remote);
                bytes += described.as_ref().map_or(0, |json| json.get().len());
                if listed.len() == MAX_SOCKETS || bytes > MAX_LIST {
                    return listed;
                }
                listed.extend(described);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                Some(_) | None => break,
            }
        }
    }
    listed
}

/// Returns the names of all namespaces that may have sockets: those of the application, and
/// any others that sockets in this object are in.
fn namespaces(io: &Io) -> Vec<String> {
    let named = io.application().names().map(str::to_owned);
    let here = census(io).namespaces.into_iter().map(|(name, _)| name);
    let mut all: Vec<_> = named.chain(here).collect();
    sort(&mut all);
    all.dedup();
    all
}

/// Counts what is in this object.
pub(super) fn census(io: &Io) -> Census {
    match io.port().call(Request::Census).now() {
        Ok(Reply::Census(census)) => census,
        _ => Census::default(),
    }
}

/// Fetches a page of a namespace's sockets, wherever they are. What is missing is listed
/// another time.
async fn fetch(io: &Io, namespace: &str, after: Option<String>) -> Vec<Remote> {
    let selection = Selection {
        namespace: namespace.to_owned(),
        ..Selection::default()
    };
    let page = Page { after, limit: PAGE };
    let operation = Operation::Fetch(Some(page));
    let request = Request::Operate(Target::Sockets(selection), operation);
    let reply = match io.port().call(request).reply().await {
        Ok(Reply::Partial(reply, _)) => *reply,
        Ok(reply) => reply,
        Err(_) => return Vec::new(),
    };
    if let Reply::Sockets(sockets) = reply {
        sockets
    } else {
        Vec::new()
    }
}
