//! Clients that join namespaces.

use core::cell::Cell;
use core::future::poll_fn;
use std::rc::Rc;

use dormouse_proto::Base64;
use dormouse_proto::cluster::Position;
use dormouse_proto::engine::Reason;
use dormouse_proto::socket::{
    Admission, Auth, ConnectRequest, Connection, INTERNAL_ERROR, INVALID_NAMESPACE, JoinId,
    Protocol, REJECTED, Socket,
};
use serde::Serializer as _;

use super::clients::ClientEntry;
use super::cluster::{Cluster, Comeback, Returns};
use super::context::Context;
use super::{events, recovering, spans, watching};
use crate::api::error::{Failure, Refusal, Rejection};
use crate::api::handler::OnNewNamespace;
use crate::api::{
    self, Call, ConnectContext, Found, HandlerFn, JoinRequest, LookUp, NamespaceContext,
};
use crate::layer::called::log_failure;
use crate::log::Level;
use crate::parts::{self, CONNECT_LIMIT, Job};
use crate::platform;
use crate::port::{Address, Spot};
use crate::query;
use crate::sid::{Key, Sid};
use crate::tracing::Occasion;

thread_local! {
    /// Whether this instance has logged that the `auth` of a client is not kept.
    static DROPPED: Cell<bool> = const { Cell::new(false) };
}

const TOO_LARGE: &str = "`Socket::auth` does not have it: all of a client's may have 16 KiB; what \
                         has to be known later can be kept as data of the socket";

/// A client that is about to join a namespace.
struct Joining {
    cx: Rc<Context>,
    socket: api::Socket,
    address: Rc<Address>,
    found: Found,
    request: JoinRequest,
    recovered: bool,
}

/// Asks the application about a client that wants to join a namespace.
pub(super) fn ask(cx: &Context, key: Key, request: ConnectRequest<'_>) {
    let namespace = request.namespace.into_owned();
    let auth = auth_as_json(&request.auth);
    let known = cx.clients.with(key, |client| {
        let has_room = client.work.has_room(auth.len());
        (client.handshake().clone(), has_room)
    });
    let Some((handshake, has_room)) = known else {
        return;
    };
    if !has_room {
        return parts::expel(&cx.parts, key, Reason::Overrun);
    }
    match cx.application.look_up(&namespace) {
        LookUp::Found(found) => {
            let request = JoinRequest::new(namespace, auth, handshake);
            begin(cx, key, None, request, found);
        }
        LookUp::Nothing => {
            cx.clients.with(key, |client| {
                let connection = &mut client.connection;
                connection.refuse_request(&namespace, INVALID_NAMESPACE, None);
            });
            log_refusal(cx, key, &namespace, INVALID_NAMESPACE);
        }
        LookUp::Ask => look_for(cx, key, JoinRequest::new(namespace, auth, handshake)),
    }
}

/// Asks the application whether there is such a namespace.
fn look_for(cx: &Context, key: Key, request: JoinRequest) {
    let bytes = request.json().len();
    let reserved = cx.clients.with(key, |client| {
        let join = client.connection.reserve(request.namespace());
        begin_work(client, bytes);
        Spot::new(key, join)
    });
    let Some(spot) = reserved else {
        return;
    };
    let job = job(key);
    let (me, application, parts) = (cx.me.clone(), cx.application.clone(), cx.parts.clone());
    let asking = request.clone();
    let asked = Box::pin(async move {
        let failed = |failure: &Failure| log_failure(&parts, job, failure);
        application.ask(&asking, &parts.env, failed).await
    });
    parts::run(&cx.parts, job, asked, move |decided| {
        let Some(cx) = me.upgrade() else {
            return;
        };
        let is_wanted = cx.clients.with(key, |client| {
            end_work(client, bytes);
            client.connection.is_wanted(spot.join)
        });
        match decided {
            Some(Some(found)) if is_wanted == Some(true) => {
                begin(&cx, key, Some(spot.join), request, found);
            }
            // Nobody hears that it is refused.
            Some(Some(_)) => refuse(&cx, spot, request.namespace(), REJECTED, None),
            Some(None) => refuse(&cx, spot, request.namespace(), INVALID_NAMESPACE, None),
            None => refuse_dropped(&cx, spot, request.namespace()),
        }
        cx.parts.turn.mark_dirty(key);
    });
}

/// Begins to decide about a client whose namespace is found. Its socket may have a place
/// already.
fn begin(cx: &Context, key: Key, reserved: Option<JoinId>, request: JoinRequest, found: Found) {
    let namespace = request.namespace();
    if let Some(returns) = cx.returns_to(namespace) {
        return match recovering::read_request(request.json()) {
            Some(wanted) => look_elsewhere(cx, returns, (key, reserved), wanted, request, found),
            None => begin_with(cx, key, reserved, request, found, None),
        };
    }
    let recovered = recovering::recover(cx, key, namespace, request.json());
    begin_with(cx, key, reserved, request, found, recovered);
}

/// Looks for the socket of a client in all objects first.
fn look_elsewhere(
    cx: &Context,
    returns: &dyn Returns,
    (key, reserved): (Key, Option<JoinId>),
    (pid, position): (String, Option<Position>),
    request: JoinRequest,
    found: Found,
) {
    let bytes = request.json().len();
    let spot = cx.clients.with(key, |client| {
        let connection = &mut client.connection;
        let join = reserved.unwrap_or_else(|| connection.reserve(request.namespace()));
        begin_work(client, bytes);
        Spot::new(key, join)
    });
    let Some(spot) = spot else {
        return;
    };
    let me = cx.me.clone();
    returns.find(Comeback {
        spot,
        namespace: request.namespace().into(),
        tag: found.definition.tag,
        pid,
        position,
        then: Box::new(move |recovered| {
            let Some(cx) = me.upgrade() else {
                return;
            };
            let is_wanted = cx.clients.with(key, |client| {
                end_work(client, bytes);
                client.connection.is_wanted(spot.join)
            });
            match is_wanted {
                Some(true) => {
                    begin_with(&cx, key, Some(spot.join), request, found, recovered);
                }
                // Nobody hears that it is refused.
                Some(false) | None => refuse(&cx, spot, request.namespace(), REJECTED, None),
            }
            cx.parts.turn.mark_dirty(key);
        }),
    });
}

/// Does the same for a client of which it is known whether it gets its socket back.
fn begin_with(
    cx: &Context,
    key: Key,
    reserved: Option<JoinId>,
    request: JoinRequest,
    found: Found,
    recovered: Option<recovering::Found>,
) {
    let namespace = request.namespace();
    let protocol = cx.clients.with(key, |client| client.connection.protocol());
    let Some((protocol, me)) = protocol.zip(cx.me.upgrade()) else {
        return;
    };
    let is_transient = cx.application.is_transient(namespace);
    let (id, pid, recovered) = match recovered {
        Some(found) => (found.id, Some(found.pid), Some(found.state)),
        None => {
            let id = new_id(cx, key, protocol, namespace);
            let pid = new_pid(cx, protocol, &id).filter(|_| !is_transient);
            (id, pid, None)
        }
    };
    let is_recovered = recovered.is_some();
    // From now on, its client may miss something.
    let since = match cx.returns() {
        // It is asked for before the client is let in.
        Some(_) => None,
        None => pid.as_ref().and_then(|_| recovering::newest(cx)),
    };
    let begun = cx.clients.with(key, |client| {
        let admission = Admission {
            id,
            pid,
            since,
            auth: (!is_transient).then(|| request.json().to_owned()),
            definition: found.definition,
            recovered,
        };
        let connection = &mut client.connection;
        let join = match reserved {
            Some(join) => connection.fill(join, admission).then_some(join)?,
            None => connection.begin(namespace, admission),
        };
        begin_work(client, request.json().len());
        let is_kept = client.connection.socket(join)?.auth().is_some();
        Some((client.address(key, join)?, is_kept))
    });
    let Some((address, is_kept)) = begun.flatten() else {
        return;
    };
    if !is_kept && !is_transient {
        warn_of_dropped(cx, key, namespace);
    }
    if is_recovered {
        // What is sent to its rooms from now on is held for it.
        cx.index.insert(&cx.clients, address.spot);
    }
    let Some(socket) = cx.socket(address.clone()) else {
        return;
    };
    run(Joining {
        cx: me,
        socket,
        address,
        found,
        request,
        recovered: is_recovered,
    });
}

/// Logs, once for each instance, that the `auth` of a client is not kept.
fn warn_of_dropped(cx: &Context, key: Key, namespace: &str) {
    if !DROPPED.replace(true) {
        let fields = [("namespace", namespace), ("message", TOO_LARGE)];
        cx.parts.log(Level::Warn, "auth dropped", key, &fields);
    }
}

fn job(key: Key) -> Job {
    Job {
        limit: Some(CONNECT_LIMIT),
        ..Job::droppable(key, "connect")
    }
}

fn begin_work(client: &mut ClientEntry, bytes: usize) {
    client.work.begin();
    client.work.take_on(bytes);
}

fn end_work(client: &mut ClientEntry, bytes: usize) {
    client.work.end();
    client.work.put_down(bytes);
}

/// Returns the id of a new socket. In protocol 5 it says which object the socket is
/// in, like a sid.
fn new_id(cx: &Context, key: Key, protocol: Protocol, namespace: &str) -> String {
    let sid = cx.parts.sid(key).map(|sid| sid.to_string());
    let computed = sid.and_then(|sid| Connection::socket_id(protocol, &sid, namespace));
    computed.unwrap_or_else(|| {
        let id = Sid::new(&cx.parts.id, platform::random());
        id.map_or_else(String::new, |id| id.to_string())
    })
}

/// Returns the secret that a new socket can come back with. It is as long as the
/// secrets of two sids, since whoever knows it is the client.
fn new_pid(cx: &Context, protocol: Protocol, id: &str) -> Option<String> {
    let recovers = cx.recovery.is_on() && protocol == Protocol::V5;
    recovers.then(|| match cx.returns() {
        Some(returns) => returns.new_pid(id),
        None => Base64::UrlSafe.encode(platform::random::<24>()),
    })
}

/// What the application has decided about a client.
enum Decision {
    LetIn,
    Refused(Refusal),
    /// Nothing: the client has gone, or a middleware has disconnected its socket.
    Needless,
}

impl From<Refusal> for Decision {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Rejection> for Decision {
    fn from(rejection: Rejection) -> Self {
        Self::Refused(rejection.into())
    }
}

/// Runs the application's middlewares and `on_connect`, and does what they decide.
fn run(joining: Joining) {
    let cx = joining.cx.clone();
    let address = joining.address.clone();
    let job = job(address.spot.session);
    let bytes = joining.request.json().len();
    let me = cx.me.clone();
    let definition = joining.found.definition.index;
    let span = spans::begin(&cx, &address.namespace, definition, Occasion::Connect);
    let asked = spans::follow(&span, Box::pin(async move { joining.ask().await }));
    parts::run(&cx.parts, job, asked, move |decided| {
        let Some(cx) = me.upgrade() else {
            return;
        };
        let key = address.spot.session;
        cx.clients.with(key, |client| end_work(client, bytes));
        let (spot, namespace) = (address.spot, &*address.namespace);
        match decided {
            Some(Decision::LetIn) => let_in(&cx, &address),
            Some(Decision::Refused(refusal)) => {
                spans::refuse(&span);
                if refusal.is_internal() {
                    spans::fail(&span, "handler failed");
                    log_failure(&cx.parts, job, &refusal.failure);
                }
                let data = refusal.failure.data();
                refuse(&cx, spot, namespace, refusal.message(), data);
            }
            Some(Decision::Needless) => refuse(&cx, spot, namespace, REJECTED, None),
            None => {
                spans::fail(&span, "dropped");
                refuse_dropped(&cx, spot, namespace);
            }
        }
        drop(span);
        // What the client has said meanwhile is heard, if it is let in.
        events::handle_early(&cx, address.spot);
        cx.parts.turn.mark_dirty(key);
    });
}

/// Lets a client into a namespace.
fn let_in(cx: &Context, address: &Address) {
    let accept = |client: &mut ClientEntry| client.accept(address.spot.join);
    if cx.clients.with(address.spot.session, accept) == Some(true) {
        tell_of_join(cx, address);
    }
    cx.run_outputs(address.spot.session);
}

/// Tells a client that it is connected before `on_connect` has returned, because that
/// asks it something, or disconnects it.
pub(super) fn let_in_early(cx: &Context, spot: Spot) {
    let accepted = cx.clients.with(spot.session, |client| {
        let is_new = client.connection.accept_early(spot.join);
        is_new.then(|| client.address(spot.session, spot.join))?
    });
    if let Some(address) = accepted.flatten() {
        tell_of_join(cx, &address);
        cx.run_outputs(spot.session);
    }
}

fn tell_of_join(cx: &Context, address: &Address) {
    watching::connected(cx, address);
    let Spot { session, join } = address.spot;
    let is_recovered = |client: &mut ClientEntry| {
        let socket = client.connection.socket(join);
        socket.is_some_and(Socket::is_recovered)
    };
    let recovered = match cx.clients.with(session, is_recovered) {
        Some(true) => "true",
        Some(false) | None => "false",
    };
    let fields = [
        ("namespace", &*address.namespace),
        ("socket", &*address.id),
        ("recovered", recovered),
    ];
    cx.parts.log(Level::Info, "join", session, &fields);
}

fn refuse(cx: &Context, spot: Spot, namespace: &str, message: &str, data: Option<&str>) {
    let (key, join) = (spot.session, spot.join);
    let refuse = |client: &mut ClientEntry| client.connection.refuse(join, message, data);
    if cx.clients.with(key, refuse) == Some(true) {
        log_refusal(cx, key, namespace, message);
    }
    cx.run_outputs(key);
}

/// Refuses a client about which nobody has decided in time.
fn refuse_dropped(cx: &Context, spot: Spot, namespace: &str) {
    let fields = [("namespace", namespace)];
    let what = "connect handler dropped";
    cx.parts.log(Level::Warn, what, spot.session, &fields);
    refuse(cx, spot, namespace, INTERNAL_ERROR, None);
}

fn log_refusal(cx: &Context, key: Key, namespace: &str, message: &str) {
    let fields = [("namespace", namespace), ("message", message)];
    cx.parts.log(Level::Info, "refuse", key, &fields);
}

impl Joining {
    async fn ask(&self) -> Decision {
        match self.decide().await {
            Ok(()) => Decision::LetIn,
            Err(decision) => decision,
        }
    }

    async fn decide(&self) -> Result<(), Decision> {
        let context = || ConnectContext::new(&self.socket, &self.request, self.recovered);
        let skip_middlewares = self.recovered && self.cx.recovery.skips_middlewares();
        if !skip_middlewares {
            for middleware in &self.found.handlers.middlewares {
                self.check()?;
                match middleware(&mut context())? {
                    Call::Done(checked) => checked?,
                    Call::Later(future) => future.await?,
                }
            }
        }
        self.check()?;
        if let Some(cluster) = &self.cx.cluster {
            self.announce(&**cluster).await?;
            self.check()?;
            self.take_place().await;
            self.check()?;
        }
        let Spot { session, join } = self.address.spot;
        let is_new = self.is_new();
        let admit = |client: &mut ClientEntry| client.connection.admit(join);
        self.cx.clients.with(session, admit);
        self.cx.run_outputs(session);
        if let Some(handler) = is_new {
            self.open(handler).await;
            self.check()?;
        }
        let Some(on_connect) = &self.found.handlers.on_connect else {
            return Ok(());
        };
        let spot = self.address.spot;
        let call = || on_connect(&mut context());
        match self.cx.asking.during(spot, call)? {
            Call::Done(connected) => Ok(connected?),
            Call::Later(mut future) => {
                let poll = poll_fn(|waker| {
                    let poll = || future.as_mut().poll(waker);
                    self.cx.asking.during(spot, poll)
                });
                Ok(poll.await?)
            }
        }
    }

    /// Makes the socket known to the other objects of the server.
    async fn announce(&self, cluster: &dyn Cluster) -> Result<(), Decision> {
        let (spot, namespace) = (self.address.spot, &*self.address.namespace);
        let rooms = self.cx.clients.with(spot.session, |client| {
            Some(client.connection.socket(spot.join)?.rooms().to_vec())
        });
        let rooms = rooms.flatten().unwrap_or_default();
        let announced = cluster.announce(spot, namespace, &rooms).await;
        announced.map_err(|error| Decision::Refused(Refusal::internal(Box::new(error))))
    }

    /// Notes at which event of many objects a new socket begins, if it may come back.
    async fn take_place(&self) {
        let Spot { session, join } = self.address.spot;
        let is_new = |client: &mut ClientEntry| {
            let socket = client.connection.socket(join)?;
            Some(socket.pid().is_some() && !self.recovered)
        };
        let is_new = self.cx.clients.with(session, is_new).flatten() == Some(true);
        let Some(returns) = self.cx.returns().filter(|_| is_new) else {
            return;
        };
        let place = returns.position(&self.address.namespace).await;
        let take = |client: &mut ClientEntry| client.connection.set_since(join, place);
        self.cx.clients.with(session, take);
    }

    /// Returns the handler of new namespaces, if this is one: nobody is in it yet.
    fn is_new(&self) -> Option<&HandlerFn<OnNewNamespace>> {
        let cx = &self.cx;
        let handler = cx.application.on_new_namespace.as_ref()?;
        let is_dynamic = cx.application.is_dynamic(self.found.definition.index);
        let is_empty = || {
            let namespace = &self.address.namespace;
            cx.index.is_empty(cx, namespace)
        };
        (is_dynamic && is_empty()).then_some(handler)
    }

    /// Tells the application of a new namespace.
    async fn open(&self, handler: &HandlerFn<OnNewNamespace>) {
        let (parts, states) = (&self.cx.parts, &self.cx.application.states);
        let io = self.socket.io();
        let outcome = match handler(&mut NamespaceContext::new(&io, &parts.env, states)) {
            Ok(Call::Done(outcome)) => outcome,
            Ok(Call::Later(future)) => future.await,
            Err(rejection) => Err(rejection.into()),
        };
        if let Err(error) = outcome {
            let job = Job::new(self.address.spot.session, "new namespace");
            log_failure(parts, job, &error.failure);
        }
    }

    /// Returns whether there is still something to decide.
    fn check(&self) -> Result<(), Decision> {
        let Spot { session, join } = self.address.spot;
        let is_wanted = |client: &mut ClientEntry| client.connection.is_wanted(join);
        match self.cx.clients.with(session, is_wanted) {
            Some(true) => Ok(()),
            Some(false) | None => Err(Decision::Needless),
        }
    }
}

/// Returns a client's `auth` as a JSON object, whichever way it was sent.
fn auth_as_json(auth: &Auth<'_>) -> String {
    match auth {
        Auth::None => "{}".to_owned(),
        Auth::Json(json) => json.clone().into_owned(),
        Auth::Query(query) => {
            let mut json = Vec::new();
            let mut serializer = serde_json::Serializer::new(&mut json);
            // Strings can always be written.
            let _ = serializer.collect_map(query::parameters(query));
            String::from_utf8(json).unwrap_or_default()
        }
    }
}
