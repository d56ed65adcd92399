//! The admin namespace of a Socket.IO server: what its stock admin UI
//! (`@socket.io/admin-ui`) shows and does.
//!
//! It is a namespace with handlers like one that an application might write. Besides, the
//! object tells it what happens, but only while somebody is in the namespace
//! ([`crate::port::watch`]): no timer, no row and no count is kept otherwise.
//!
//! 1. `login`: who may; the values by which a page comes back after a reload.
//! 2. `handlers`, `commands`: what is done for those who have been let in.
//! 3. `watch`: what is known while somebody watches, and the task that sends it.
//! 4. `stats`, `sockets`: numbers, and sockets, as the UI reads them.
//! 5. `others`: the other objects of the server.
//! 6. `pages`: those of the UI, in the front.

mod commands;
mod handlers;
mod login;
mod others;
mod pages;
mod sockets;
mod stats;
mod watch;

use core::time::Duration;
use std::rc::Rc;

use self::pages::Pages;
use crate::api::Server;
use crate::api::endpoint::Service;

/// How often those who watch are told how many there are. The UI takes a server that has
/// not been heard of for 10 s for broken.
const STATS_EVERY: Duration = Duration::from_secs(2);

/// How often the other objects of a server are asked, and at least how much time there is
/// for each answer.
const OTHERS_EVERY: Duration = Duration::from_secs(8);
const FOR_EACH_ANSWER: Duration = Duration::from_millis(500);

/// How often, in a server of many objects, all sockets are listed again: of some, nothing
/// may have been heard.
const LIST_EVERY: Duration = Duration::from_secs(60);

/// The maximum number of sockets in a list, and of bytes.
const MAX_SOCKETS: usize = 1_000;
const MAX_LIST: usize = 1 << 20;

/// The maximum number of events that wait to be sent to those who watch, and of bytes.
/// With more of them, all sockets are listed again instead.
const MAX_WAITING: usize = 1_000;
const MAX_WAITING_BYTES: usize = 1 << 20;

/// The maximum number of bytes of an event's arguments that are shown.
const MAX_SHOWN: usize = 16_384;

/// The maximum number of namespaces of which numbers are told.
const MAX_NAMESPACES: usize = 1_000;

/// The maximum number of counts that wait.
const MAX_COUNTS: usize = 1_000;

/// The shortest password, in bytes. Whoever has a session value can try passwords at
/// leisure.
const SHORTEST: usize = 12;

/// The longest user name and password that are looked at, in bytes.
const LONGEST: usize = 1_024;

/// The admin namespace of a [`Server`](crate::Server), for the stock admin UI of Socket.IO
/// (`@socket.io/admin-ui`), and its options.
///
/// ```
/// use dormouse::{Admin, Server};
///
/// fn app() -> Server {
///     Server::new()
///         .admin(Admin::new())
///         .namespace("/", |namespace| namespace)
/// }
///
/// dormouse::worker!(app);
/// # fn main() {}
/// ```
///
/// Nobody may enter it unless there is a secret: `ADMIN_PASSWORD`, a variable of the
/// Worker. [`ui`](Self::ui) serves the UI's pages. `docs/admin-ui.md` says what watching costs:
/// the object is awake, $0.006 an hour.
#[derive(Clone, Debug)]
pub struct Admin {
    namespace: String,
    username: String,
    /// The names of the variables that hold the passwords.
    secrets: [String; 2],
    session_duration: Duration,
    read_only: bool,
    development: bool,
    /// How the pages of the UI are served. `None` if they are not.
    ui: Option<ServeUi>,
    /// The binding to the assets that they are among, and the folder in there.
    assets: [String; 2],
}

/// Has a server serve the pages: linked only where an application asks for it.
#[derive(Clone, Debug)]
struct ServeUi {
    path: String,
    serve: fn(&str, &[String; 2]) -> Rc<dyn Service>,
}

impl Admin {
    /// Returns an admin namespace with the default options.
    pub fn new() -> Self {
        Self {
            namespace: "/admin".to_owned(),
            username: "admin".to_owned(),
            secrets: ["ADMIN_PASSWORD".to_owned(), "ADMIN_PASSWORD_OLD".to_owned()],
            session_duration: Duration::from_secs(86_400),
            read_only: false,
            development: false,
            ui: None,
            assets: ["ASSETS".to_owned(), "/dist".to_owned()],
        }
    }

    /// Sets the name of the namespace. Default: `/admin`, which the UI asks for as well
    /// unless told otherwise.
    pub fn namespace(mut self, name: &str) -> Self {
        self.namespace = name.to_owned();
        self
    }

    /// Sets the user name. Default: `admin`.
    pub fn username(mut self, name: &str) -> Self {
        self.username = name.to_owned();
        self
    }

    /// Names the two variables in the Worker's environment that hold the passwords, each of
    /// at least 12 bytes. Default: `ADMIN_PASSWORD` and `ADMIN_PASSWORD_OLD`. Either will
    /// do, so that one can be replaced while the other is in use. If neither is set,
    /// everybody is refused, and the log says so.
    pub fn secrets(mut self, name: &str, other: &str) -> Self {
        self.secrets = [name.to_owned(), other.to_owned()];
        self
    }

    /// Sets for how long somebody who has logged in can come back without the password, as
    /// after a reload of the page, from a minute to 30 days. Default: 1 day. A new password
    /// ends that at once.
    pub fn session_duration(mut self, duration: Duration) -> Self {
        self.session_duration = duration;
        self
    }

    /// Sets whether those who watch can do nothing else. Default: `false`, they may send
    /// events, disconnect sockets, and have them join and leave rooms.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Sets whether those who watch see each socket, its rooms, its handshake, and each
    /// event with its arguments. Default: `false`, they see numbers alone.
    ///
    /// **It is for development**: what users write to each other is shown, and each event
    /// costs one more for whoever watches.
    pub fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// Serves the pages of the UI at this path, such as `/admin`, from the Worker's static
    /// assets. Default: the Worker does not serve them.
    ///
    /// `wrangler.toml` says where they are:
    ///
    /// ```toml
    /// [assets]
    /// directory = "node_modules/@socket.io/admin-ui/ui"
    /// binding = "ASSETS"
    /// ```
    ///
    /// The pages say nothing about the server, and anybody can load them; what they show is
    /// behind the password. Where the assets have no such binding, the Worker does not start,
    /// and says so.
    ///
    /// ```
    /// use dormouse::{Admin, Server};
    ///
    /// fn app() -> Server {
    ///     Server::new()
    ///         .admin(Admin::new().ui("/admin"))
    ///         .namespace("/", |namespace| namespace)
    /// }
    ///
    /// dormouse::worker!(app);
    /// # fn main() {}
    /// ```
    pub fn ui(mut self, path: &str) -> Self {
        self.ui = Some(ServeUi {
            path: path.to_owned(),
            serve: |path, [binding, folder]| Rc::new(Pages::new(path, binding, folder)),
        });
        self
    }

    /// Names the binding to the static assets that the pages of the [`ui`](Self::ui) are among,
    /// and the folder that they are in there. Default: `ASSETS` and `/dist`, which is that of
    /// the npm package's folder `ui`.
    pub fn assets(mut self, binding: &str, folder: &str) -> Self {
        self.assets = [binding.to_owned(), folder.to_owned()];
        self
    }

    /// Returns the option that cannot be served, and the remedy.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.username.is_empty() || self.username.len() > LONGEST {
            return Err(("username", "must have from 1 to 1,024 bytes"));
        }
        let is_in = Duration::from_secs(60)..=Duration::from_secs(30 * 86_400);
        if !is_in.contains(&self.session_duration) {
            return Err(("session_duration", "must be from a minute to 30 days"));
        }
        Ok(())
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// Adds an [`Admin`] namespace, for the stock admin UI of Socket.IO. Default: none. A
    /// server can have one.
    pub fn admin(self, admin: Admin) -> Self {
        let admin = Rc::new(admin);
        let (name, asked, resuming) = (admin.namespace.clone(), admin.clone(), admin.clone());
        let server = self.namespace(&name, |namespace| match admin.check() {
            Ok(()) => handlers::register(&admin, namespace),
            Err((option, remedy)) => namespace.misconfigured(option, remedy),
        });
        let server = match &admin.ui {
            Some(ui) => server.pages((ui.serve)(&ui.path, &admin.assets)),
            None => server,
        };
        let server = server.transient(&name, move |io| watch::resume(io, &resuming));
        others::register(asked, server)
    }
}

#[cfg(test)]
mod tests;
