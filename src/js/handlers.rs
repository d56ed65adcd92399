//! The handlers of a namespace: each passes on to the host what it is called for.

use dormouse::{
    Ack, Args, HandlerError, Handshake, Io, JoinRequest, Namespace, Reason, Recovered, Refusal,
    Socket, Usage,
};
use js_sys::{Array, Promise};
use serde_json::value::RawValue;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::here::Here;
use crate::host::Host;
use crate::outcome::attachments;

/// What the host wants to hear of a namespace.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// The host's number for the namespace's definition.
    pub(crate) definition: u32,
    pub(crate) examines: bool,
    pub(crate) connects: bool,
    pub(crate) observes: bool,
}

/// Registers the handlers of a namespace.
pub(crate) fn register(host: &Host, wanted: Wanted, mut namespace: Namespace) -> Namespace {
    let definition = wanted.definition;
    if wanted.examines {
        let host = host.clone();
        namespace = namespace.middleware(
            async move |socket: Socket, Recovered(recovered): Recovered| {
                let (here, number) = Here::of(&socket);
                let (id, name) = (socket.id(), socket.namespace());
                let verdict = host.examine(here.number, definition, number, id, name, recovered);
                match awaited(verdict).await.dyn_into::<Array>() {
                    Ok(refused) => {
                        here.remove(number);
                        Err(refusal(&refused))
                    }
                    Err(_) => Ok(()),
                }
            },
        );
    }
    if wanted.connects {
        let host = host.clone();
        namespace = namespace.on_connect(move |socket: Socket, Recovered(recovered): Recovered| {
            let (here, number) = Here::of(&socket);
            let (id, name) = (socket.id(), socket.namespace());
            host.connect(here.number, definition, number, id, name, recovered);
        });
    }
    if wanted.observes {
        let host = host.clone();
        namespace = namespace.on_any_outgoing(move |socket: &Socket, event: &str, args: &Args| {
            let (here, number) = Here::of(socket);
            let args = args.behind(&event).unwrap_or_else(|_| args.clone());
            host.sent(
                here.number,
                definition,
                number,
                args.to_json(),
                attachments(&args),
            );
        });
    }
    let other = host.clone();
    namespace
        .on_fallback({
            let host = host.clone();
            async move |socket: Socket, args: Args, ack: Ack| {
                let (here, number) = Here::of(&socket);
                let ack = ack.into_id().map_or(-1.0, |id| id as f64);
                let (json, bytes) = (args.to_json(), attachments(&args));
                let handled = host.event(here.number, definition, number, json, bytes, ack);
                drop(args);
                awaited(handled).await;
            }
        })
        .on_disconnect(async move |socket: Socket, reason: Reason| {
            let (here, number) = Here::of(&socket);
            let told = other.disconnect(here.number, definition, number, reason.as_str());
            awaited(told).await;
            here.remove(number);
        })
}

/// Asks the host whether a client may connect.
pub(crate) async fn admit(
    host: &Host,
    server: u32,
    handshake: &Handshake,
) -> Result<(), HandlerError> {
    let verdict = awaited(host.admit(server, &json(handshake))).await;
    match verdict.as_string() {
        Some(message) => Err(HandlerError::new(message)),
        None => Ok(()),
    }
}

/// Asks the host whether there is a namespace.
pub(crate) async fn exists(host: &Host, definition: u32, request: &JoinRequest) -> bool {
    let handshake = json(&request.handshake());
    let answer = host.exists(definition, request.namespace(), &handshake);
    awaited(answer).await.is_truthy()
}

/// Tells the host of a new namespace.
pub(crate) async fn open(host: &Host, server: u32, io: &Io) {
    let object = Here::of_namespace(io).map_or(0, |here| here.number);
    awaited(host.open(object, server, io.namespace())).await;
}

/// Tells the host what was counted of what is billed.
pub(crate) async fn count(host: &Host, server: u32, io: &Io, usage: &Usage) {
    let object = Here::of_namespace(io).map_or(0, |here| here.number);
    awaited(host.count(object, server, &counted(usage))).await;
}

/// Returns what was counted, how often objects have woken up, and the price in billionths of a
/// dollar, as JSON.
pub(crate) fn counted(usage: &Usage) -> String {
    let counted = (usage, usage.wakes(), usage.nanodollars());
    // They are numbers, and can always be written.
    serde_json::to_string(&counted).unwrap_or_default()
}

/// Passes on an event of another object, and returns the answer.
pub(crate) async fn hear(
    host: &Host,
    server: u32,
    io: &Io,
    args: &Args,
) -> Result<Args, serde_json::Error> {
    let object = Here::of_namespace(io).map_or(0, |here| here.number);
    let (json, bytes) = (args.to_json(), attachments(args));
    let heard = host.hear(object, server, io.namespace(), json, bytes);
    let answer = awaited(heard).await.as_string();
    Args::from_json(answer.unwrap_or_else(|| "[]".to_owned()), Vec::new())
}

/// Returns a handshake as JSON. It is texts and numbers, and can always be written.
pub(crate) fn json(handshake: &Handshake) -> String {
    serde_json::to_string(handshake).unwrap_or_default()
}

/// Returns what the host has answered, or in the end will.
async fn awaited(answer: JsValue) -> JsValue {
    match answer.dyn_into::<Promise>() {
        Ok(promise) => JsFuture::from(promise).await.unwrap_or_default(),
        Err(answer) => answer,
    }
}

fn refusal(refused: &Array) -> Refusal {
    let refusal = Refusal::new(refused.get(0).as_string().unwrap_or_default());
    let data = refused.get(1).as_string();
    match data.and_then(|data| RawValue::from_string(data).ok()) {
        Some(data) => refusal.data(&data),
        None => refusal,
    }
}
