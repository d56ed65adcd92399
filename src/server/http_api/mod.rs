//! The HTTP API of a Socket.IO server: for programs elsewhere, in any language, that
//! send to its sockets, move and list them.
//!
//! It is served in the stateless Worker, and is one more caller of the port: it knows
//! nothing of what is inside an object. A request goes through it in this order, and
//! nothing reaches an object before the last step:
//!
//! 1. `service`: the answer to a request, from its first byte to its last.
//! 2. `authorisation`: who may.
//! 3. `body`, `fields`: the text of what is asked, with its attachments; its members.
//! 4. `operation`, `emitters`: what is to be done, checked.
//! 5. `running`: it is done.
//! 6. `answer`: what has come of it, as JSON or msgpack.

mod answer;
mod authorisation;
mod body;
mod emitters;
mod fields;
mod once;
mod operation;
mod running;
mod service;

use core::time::Duration;
use std::rc::Rc;

use crate::api::Server;

/// The maximum number of names in a list of rooms.
const MAX_ROOMS: usize = 1_000;

/// The maximum number of operations in a batch.
const MAX_BATCH: usize = 100;

/// The maximum number of attachments in one request.
const MAX_ATTACHMENTS: usize = 1_000;

/// The maximum depth of arguments. Clients read them with recursive parsers.
const MAX_DEPTH: usize = 100;

/// The longest time to wait for acknowledgements, in milliseconds: in a batch, for all
/// of them together.
const MAX_TIMEOUT: u64 = 60_000;

/// The number of items on a page, unless the request says otherwise.
const PAGE: usize = 100;

/// The maximum number of items on a page.
const MAX_PAGE: usize = 1_000;

/// The HTTP API of a [`Server`](crate::Server), and its options.
///
/// Programs elsewhere send events and move sockets with it, in any language. It is
/// served below the server's path: `POST /socket.io/api/v1/emit`, and so on.
///
/// ```
/// use dormouse::{HttpApi, Server};
///
/// fn app() -> Server {
///     Server::new()
///         .api(HttpApi::new())
///         .namespace("/", |namespace| namespace)
/// }
///
/// dormouse::worker!(app);
/// # fn main() {}
/// ```
///
/// ```sh
/// curl --json '{"rooms": ["night shift"], "event": "alarm", "args": ["wake up"]}' \
///   -H "Authorization: Bearer $API_SECRET" https://chat.example.com/socket.io/api/v1/emit
/// ```
///
/// `docs/http-api.md` has all operations and answers, `docs/openapi.json` describes them
/// for programs.
#[derive(Clone, Debug)]
pub struct HttpApi {
    /// The names of the variables that hold the secrets.
    secrets: [String; 2],
    /// A signature is needed.
    signed: bool,
    /// How far the time in a signature may be from ours.
    window: Duration,
    max_body: usize,
}

impl HttpApi {
    /// Returns an API with the default options.
    pub fn new() -> Self {
        Self {
            secrets: ["API_SECRET".to_owned(), "API_SECRET_OLD".to_owned()],
            signed: false,
            window: Duration::from_secs(300),
            max_body: 1_000_000,
        }
    }

    /// Names the two variables in the Worker's environment that hold the secrets.
    /// Default: `API_SECRET` and `API_SECRET_OLD`. A caller may use either, so that one
    /// can be replaced while the other is in use; one that is not set, or empty, is
    /// nobody's. If neither is set, every request from outside is refused.
    pub fn secrets(mut self, name: &str, other: &str) -> Self {
        self.secrets = [name.to_owned(), other.to_owned()];
        self
    }

    /// Sets whether every request from outside has to be signed. Default: `false`, the
    /// secret itself as a bearer token will do, and a signature as well.
    ///
    /// A signed request cannot be changed by whoever reads it on its way, and is carried
    /// out once. So that this is known, each writes a row in its object, which is deleted
    /// after the [`window`](Self::window).
    pub fn signed(mut self, signed: bool) -> Self {
        self.signed = signed;
        self
    }

    /// Sets how far the time in a signature may be from the Worker's clock, from 1 s to
    /// an hour. Default: 5 min.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Sets the maximum size of the body of a request, in bytes, at most 32 MiB. Default:
    /// 1,000,000.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }
}

impl Default for HttpApi {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Serves an [`HttpApi`] below the server's path. Default: none, and requests for it
    /// are the application's.
    pub fn api(self, api: HttpApi) -> Self {
        self.service(Rc::new(api))
    }
}

#[cfg(test)]
mod tests;
