//! How much a client may send. Of all together, options of the server say so; of each
//! event, the application: it counts in the socket's data, which outlasts sleep.

use std::collections::BTreeMap;

use dormouse::{
    EventName, HandlerError, Limit, Namespace, OnOverrun, Overrun, RateLimit, Server, Socket,
};
use serde::{Deserialize, Serialize};
use worker::Date;

/// What an event may be sent: how often at once, and how many seconds each takes to be
/// allowed again.
const LIMITS: &[(&str, f64, f64)] = &[("say", 5.0, 2.0), ("search", 2.0, 10.0)];

/// How often an event may be sent at this time.
#[derive(Deserialize, Serialize)]
struct Bucket {
    tokens: f64,
    /// Milliseconds since 1970.
    at: f64,
}

pub(crate) fn server() -> Server {
    Server::new()
        // In a second in the long run, and at once.
        .rate_limit(RateLimit::default().packets(50, 200).joins(1, 10))
        // A client that connects again starts over; so it matters how often.
        .address_rate_limit(RateLimit::none().handshakes(5, 50))
        .on_overrun(|overrun: &Overrun| {
            if overrun.limit() == Limit::Packets {
                OnOverrun::Delay
            } else {
                OnOverrun::Close
            }
        })
        .max_payload(64 << 10)
        .namespace("/", |namespace: Namespace| {
            namespace
                .event_middleware(allow)
                .on("say", async |socket: Socket, (text,): (String,)| {
                    socket.broadcast().emit("said", text).await
                })
                .on("search", |(text,): (String,)| {
                    format!("nothing about {text}")
                })
                .on("ping", || "pong")
        })
}

/// Refuses an event that comes too often: its acknowledgement is an error, and the socket
/// stays.
fn allow(socket: Socket, event: EventName) -> Result<(), HandlerError> {
    let found = LIMITS.iter().find(|(name, ..)| *name == &*event);
    let Some(&(name, most, seconds)) = found else {
        return Ok(());
    };
    let now = Date::now().as_millis() as f64;
    let is_allowed = socket.edit_data(|buckets: &mut BTreeMap<String, Bucket>| {
        let full = Bucket {
            tokens: most,
            at: now,
        };
        let bucket = buckets.entry(name.to_owned()).or_insert(full);
        let added = (now - bucket.at) / (seconds * 1_000.0);
        bucket.tokens = most.min(bucket.tokens + added);
        bucket.at = now;
        let is_allowed = bucket.tokens >= 1.0;
        if is_allowed {
            bucket.tokens -= 1.0;
        }
        is_allowed
    })?;
    if is_allowed {
        Ok(())
    } else {
        Err(HandlerError::new(format_args!("wait {seconds} s")))
    }
}
