//! The options of a server, by the names that the other half has for them. It has checked
//! their types.

use core::time::Duration;

#[cfg(feature = "spread")]
use dormouse::Admin;
use dormouse::{Cookie, Level, Parser, RateLimit, Recovery, Server, Transport};
use js_sys::{Array, Reflect};
use wasm_bindgen::JsValue;

use crate::socket::millis;

/// An object of the other half, and its members. One that is `undefined` is as good as none.
pub(crate) struct Members(pub(crate) JsValue);

impl Members {
    pub(crate) fn get(&self, name: &str) -> JsValue {
        Reflect::get(&self.0, &name.into()).unwrap_or_default()
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).as_string()
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).as_bool()
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.get(name).as_f64()
    }

    fn size(&self, name: &str) -> Option<usize> {
        self.number(name).map(|number| number as usize)
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        self.number(name).map(millis)
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        let value = self.get(name);
        let items = value.is_object().then(|| Array::from(&value))?;
        Some(items.iter().filter_map(|it| it.as_string()).collect())
    }

    pub(crate) fn members(&self, name: &str) -> Option<Members> {
        Some(Members(self.get(name))).filter(|it| it.0.is_object())
    }
}

macro_rules! set {
    ($server:ident, $options:ident: $($read:ident($name:literal) => $method:ident;)*) => {
        $(if let Some(value) = $options.$read($name) {
            $server = $server.$method(value);
        })*
    };
}

/// Sets the options that are there.
pub(crate) fn apply(mut server: Server, options: &Members) -> Server {
    set! { server, options:
        duration("pingInterval") => ping_interval;
        duration("pingTimeout") => ping_timeout;
        duration("upgradeTimeout") => upgrade_timeout;
        duration("connectTimeout") => connect_timeout;
        duration("ackTimeout") => ack_timeout;
        size("maxHttpBufferSize") => max_payload;
        size("maxBuffered") => max_buffered;
        size("maxUnproven") => max_unproven;
        size("maxMemory") => max_memory;
        size("maxAttachments") => max_attachments;
        size("maxPacket") => max_packet;
        size("maxNamespaces") => max_namespaces;
        size("maxRooms") => max_rooms;
        flag("allowUpgrades") => allow_upgrades;
        flag("allowEIO3") => revision_3;
        flag("credentials") => credentials;
        flag("jsonp") => jsonp;
        flag("trustProxy") => trust_proxy;
        flag("inOrder") => in_order;
        flag("tracing") => tracing;
        flag("usage") => usage;
        texts("origins") => origins;
    }
    if let Some(path) = options.text("path") {
        server = server.path(&path);
    }
    if let Some(rows) = options.number("maxRows") {
        server = server.max_rows(rows as u32);
    }
    if let Some(names) = options.texts("transports") {
        let transports: Vec<_> = names.iter().map(|name| transport(name)).collect();
        server = server.transports(&transports);
    }
    if let Some(names) = options.texts("keepHeaders") {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        server = server.keep_headers(&names);
    }
    if let Some(threshold) = options.number("compression") {
        // -1 turns it off.
        server = server.compression((threshold >= 0.0).then_some(threshold as usize));
    }
    if let Some(cookie) = options.members("cookie") {
        server = server.cookie(Cookie {
            name: cookie.text("name").unwrap_or_default(),
            attributes: cookie.text("attributes").unwrap_or_default(),
        });
    }
    if options.text("parser").as_deref() == Some("msgpack") {
        server = server.parser(Parser::MSGPACK);
    }
    if let Some(recovery) = options.members("connectionStateRecovery") {
        server = server.recovery(recover(&recovery));
    }
    if let Some(limit) = options.members("rateLimit") {
        server = server.rate_limit(limited(RateLimit::default(), &limit));
    }
    if let Some(limit) = options.members("addressRateLimit") {
        server = server.address_rate_limit(limited(RateLimit::none(), &limit));
    }
    if let Some(level) = options.text("log") {
        server = server.log(self::level(&level));
    }
    #[cfg(feature = "spread")]
    if let Some(admin) = options.members("admin") {
        server = server.admin(self::admin(&admin));
    }
    server
}

#[cfg(feature = "spread")]
fn admin(options: &Members) -> Admin {
    let mut admin = Admin::new();
    set! { admin, options:
        duration("sessionDuration") => session_duration;
        flag("readOnly") => read_only;
        flag("development") => development;
    }
    if let Some(name) = options.text("namespace") {
        admin = admin.namespace(&name);
    }
    if let Some(name) = options.text("username") {
        admin = admin.username(&name);
    }
    if let Some([name, other]) = options.texts("secrets").as_deref() {
        admin = admin.secrets(name, other);
    }
    if let Some(path) = options.text("ui") {
        admin = admin.ui(&path);
    }
    if let Some([binding, folder]) = options.texts("assets").as_deref() {
        admin = admin.assets(binding, folder);
    }
    admin
}

fn transport(name: &str) -> Transport {
    match name {
        "websocket" => Transport::WebSocket,
        _ => Transport::Polling,
    }
}

fn recover(options: &Members) -> Recovery {
    let mut recovery = Recovery::default();
    if let Some(duration) = options.duration("maxDisconnectionDuration") {
        recovery = recovery.max_disconnection(duration);
    }
    if let Some(skip) = options.flag("skipMiddlewares") {
        recovery = recovery.skip_middlewares(skip);
    }
    recovery
}

/// Each limit is two numbers: how many in a second, and how many at once.
fn limited(mut limit: RateLimit, options: &Members) -> RateLimit {
    let mut set = |name: &str, with: fn(RateLimit, u32, u32) -> RateLimit| {
        let value = options.get(name);
        if value.is_object() {
            let numbers = Array::from(&value);
            let number = |index| numbers.get(index).as_f64().unwrap_or_default() as u32;
            limit = with(limit, number(0), number(1));
        }
    };
    set("packets", RateLimit::packets);
    set("bytes", RateLimit::bytes);
    set("joins", RateLimit::joins);
    set("handshakes", RateLimit::handshakes);
    limit
}

fn level(name: &str) -> Level {
    match name {
        "off" => Level::Off,
        "error" => Level::Error,
        "info" => Level::Info,
        "debug" => Level::Debug,
        _ => Level::Warn,
    }
}
