//! Where a request comes from: from which page, and whether it may; from which network.

use core::cell::RefCell;
use core::net::IpAddr;
use std::borrow::Cow;

use dormouse_proto::engine::RequestError;
use dormouse_proto::rate::Network;
use js_sys::Reflect;

use crate::incoming::Incoming;
use crate::log::{self, Level};
use crate::options::{Options, Origins};
use crate::origin::Origin;
use crate::request::{Handshake, Source};

/// Scheme and host of the server, as its clients know it: those of the URL, or
/// those that a trusted proxy tells.
pub(crate) fn own<'a>(options: &Options, request: &'a Incoming) -> Cow<'a, str> {
    let url = request.url();
    if !options.trust_proxy {
        return url.into();
    }
    // Each proxy adds its own to the list; the first is what the client asked for.
    let forwarded = |name| {
        let list = request.header(name)?;
        let first = list.split(',').next()?.trim().to_owned();
        (!first.is_empty()).then_some(first)
    };
    let proto = forwarded("x-forwarded-proto");
    let host = forwarded("x-forwarded-host");
    if proto.is_none() && host.is_none() {
        return url.into();
    }
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let scheme = proto.as_deref().unwrap_or(scheme);
    let host = host.as_deref().unwrap_or(rest);
    format!("{scheme}://{host}").into()
}

/// Returns the address that a client connects from, if it is known.
///
/// The trusted proxy adds the one that it sees to the end of `X-Forwarded-For`, behind
/// whatever the client has written there. Where Cloudflare is in front, it adds the
/// proxy's own behind that, which is also in `CF-Connecting-IP`. Elsewhere a client could
/// write that header too, to have the last entry passed over.
pub(crate) fn address(options: &Options, request: &Incoming) -> Option<String> {
    let connecting = request.header("cf-connecting-ip");
    let forwarded = options
        .trust_proxy
        .then(|| request.header("x-forwarded-for"));
    let forwarded = forwarded.flatten();
    let forwarded = forwarded.as_deref().and_then(|list| {
        let mut entries = list.rsplit(',').map(str::trim);
        let last = entries.next()?;
        let is_platforms = connecting.as_deref() == Some(last) && is_on_cloudflare(request);
        bare_address(if is_platforms { entries.next()? } else { last })
    });
    let address = forwarded.or_else(|| bare_address(connecting.as_deref()?));
    address.map(str::to_owned)
}

/// Returns whether Cloudflare's own network has passed the request on, which notes by which
/// data centre it did. No client can write that.
fn is_on_cloudflare(request: &Incoming) -> bool {
    let cf = Reflect::get(request.raw(), &"cf".into());
    let colo = cf.and_then(|cf| Reflect::get(&cf, &"colo".into()));
    colo.is_ok_and(|colo| colo.is_string())
}

/// Returns an address without the port that some proxies add.
fn bare_address(entry: &str) -> Option<&str> {
    let address = match (entry.strip_prefix('['), entry.split_once(':')) {
        (Some(rest), _) => rest.split_once(']')?.0,
        (None, Some((address, port))) if !port.contains(':') => address,
        (None, _) => entry,
    };
    let is_address = address.parse::<IpAddr>().is_ok();
    is_address.then_some(address)
}

/// Returns the network that a client connects from, if its address is known.
pub(crate) fn network(options: &Options, request: &Incoming) -> Option<Network> {
    Network::parse(&address(options, request)?)
}

/// Returns the request of a handshake, as the application sees it.
pub(crate) fn handshake(options: &Options, request: &Incoming) -> Handshake {
    let source = Source {
        address: address(options, request),
        is_secure: is_secure(options, request),
    };
    Handshake::new(request, source)
}

/// Returns whether the client reaches the server over TLS.
pub(crate) fn is_secure(options: &Options, request: &Incoming) -> bool {
    let own = own(options, request);
    Origin::parse(&own).is_some_and(|origin| origin.scheme == "https")
}

/// Returns whether a page of this origin, if it is one, may connect to the server,
/// whose own origin is that of `own`.
pub(crate) fn is_admitted(options: &Options, origin: &str, own: &str) -> bool {
    let is = |other: &str| {
        let (one, other) = (Origin::parse(origin), Origin::parse(other));
        one.is_some() && one == other
    };
    match &options.origins {
        Origins::Any | Origins::Unchecked => true,
        Origins::Same => is(own),
        Origins::These(origins) => origins.iter().any(|origin| is(origin)),
    }
}

/// Refuses a request from a page that may not connect.
///
/// A script of JSONP is loaded without an `Origin`. Browsers then say by
/// `Sec-Fetch-Site` where it is loaded from, and those that do not know that header
/// are told apart from other clients by nothing else than their `j`.
pub(crate) fn check(
    options: &Options,
    request: &Incoming,
    is_jsonp: bool,
) -> Result<(), RequestError> {
    let Some(origin) = request.header("origin") else {
        return match request.header("sec-fetch-site").as_deref() {
            _ if !options.checks_origins() => Ok(()),
            Some("cross-site" | "same-site") => {
                warn(options, "unnamed", "only `origins(\"*\")` admits it");
                Err(RequestError::BadRequest)
            }
            None if is_jsonp && !options.jsonp => {
                warn(options, "unnamed, JSONP", "`jsonp(true)` admits it");
                Err(RequestError::BadRequest)
            }
            Some(_) | None => Ok(()),
        };
    };
    let own = own(options, request);
    if !is_header_value(&origin) {
        return Err(RequestError::BadRequest);
    }
    if !is_admitted(options, &origin, &own) {
        warn(
            options,
            &origin,
            "add it to `origins` if its pages may connect",
        );
        return Err(RequestError::BadRequest);
    }
    Ok(())
}

/// RFC 9110, section 5.5: what a header's value may hold.
fn is_header_value(value: &str) -> bool {
    value
        .chars()
        .all(|c| matches!(c, '\t' | ' '..='~' | '\u{80}'..='\u{ff}'))
}

/// The most origins of which an instance logs that they are refused: anybody can
/// think of more.
const MAX_WARNED: usize = 16;

/// Of an origin, the most characters that are logged.
const MAX_LOGGED: usize = 256;

thread_local! {
    static WARNED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Logs that an origin is refused, unless this instance has done so before.
fn warn(options: &Options, origin: &str, remedy: &str) {
    if options.log.level < Level::Warn {
        return;
    }
    let origin: String = origin.chars().take(MAX_LOGGED).collect();
    let is_new = WARNED.with_borrow_mut(|warned| {
        let is_new = warned.len() < MAX_WARNED && !warned.contains(&origin);
        if is_new {
            warned.push(origin.clone());
        }
        is_new
    });
    if is_new {
        let fields = [
            ("origin", &*origin),
            ("path", &*options.path),
            ("message", remedy),
        ];
        log::log(&options.log, Level::Warn, "origin refused", &fields);
    }
}

#[cfg(test)]
mod tests;
