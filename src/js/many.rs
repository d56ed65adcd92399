//! What the other half asks of many sockets, from within an object or from elsewhere in
//! the Worker.

use dormouse::{AckError, Acked, Acks, Args, Broadcast, EmitError, Io, Missing};
use js_sys::{Array, Error, Reflect};
use serde::Serialize;
use serde_json::value::RawValue;
use wasm_bindgen::prelude::*;

use crate::handlers::counted;
use crate::here::Here;
use crate::outcome::{arguments, emit_error, read, settle};
use crate::socket::millis;

#[wasm_bindgen]
extern "C" {
    /// The sockets that something is for.
    pub type Selection;

    /// The number of the object that the code runs in, or 0.
    #[wasm_bindgen(method, getter)]
    fn object(this: &Selection) -> u32;

    /// The path of the server.
    #[wasm_bindgen(method, getter)]
    fn path(this: &Selection) -> String;

    #[wasm_bindgen(method, getter)]
    fn namespace(this: &Selection) -> String;

    #[wasm_bindgen(method, getter)]
    fn rooms(this: &Selection) -> Vec<String>;

    #[wasm_bindgen(method, getter)]
    fn except(this: &Selection) -> Vec<String>;

    #[wasm_bindgen(method, getter)]
    fn local(this: &Selection) -> bool;

    #[wasm_bindgen(method, getter)]
    fn volatile(this: &Selection) -> bool;

    /// The key that the sockets are placed by.
    #[wasm_bindgen(method, getter)]
    fn key(this: &Selection) -> Option<String>;

    /// In milliseconds, for acknowledgements.
    #[wasm_bindgen(method, getter)]
    fn limit(this: &Selection) -> Option<f64>;
}

/// Returns the namespace of the sockets.
fn namespace(selection: &Selection) -> Result<Io, JsValue> {
    let namespace = selection.namespace();
    let local = Here::find(selection.object());
    Ok(match local.and_then(|here| here.namespace(&namespace)) {
        Some(io) => io,
        None => {
            let env = dormouse::env();
            let io = env.and_then(|env| Io::new(&env, &selection.path()));
            let io = io.ok_or_else(|| Error::new("there is no such server in this Worker"))?;
            let io = io.of(&namespace);
            match selection.key() {
                Some(key) => io.key(&key),
                None => io,
            }
        }
    })
}

/// Returns the sockets, as the Rust interface addresses them.
fn sockets(selection: &Selection) -> Result<Broadcast, JsValue> {
    let io = namespace(selection)?;
    let mut sockets = io.to(selection.rooms()).except(selection.except());
    if selection.local() {
        sockets = sockets.local();
    }
    if selection.volatile() {
        sockets = sockets.volatile();
    }
    if let Some(limit) = selection.limit() {
        sockets = sockets.timeout(millis(limit));
    }
    Ok(sockets)
}

/// Sends them an event.
#[wasm_bindgen(js_name = emitMany)]
pub fn emit_many(
    selection: &Selection,
    event: String,
    json: String,
    attachments: Option<Array>,
) -> Result<JsValue, JsValue> {
    let args = read(json, attachments.as_ref())?;
    let sockets = sockets(selection)?;
    settle(async move { nothing(sockets.emit(&event, args).await) })
}

/// Sends them an event, and returns a promise of what they answer: an array of the
/// answers, behind whether any is missing.
#[wasm_bindgen(js_name = askMany)]
pub fn ask_many(
    selection: &Selection,
    event: String,
    json: String,
    attachments: Option<Array>,
) -> Result<JsValue, JsValue> {
    let args = read(json, attachments.as_ref())?;
    let sockets = sockets(selection)?;
    settle(async move {
        let acks: Acks<Args> = sockets
            .emit_with_ack(&event, args)
            .await
            .map_err(emit_error)?;
        Ok(collect(acks))
    })
}

/// Returns answers as an array, behind whether any is missing.
fn collect(acks: Acks<Args>) -> JsValue {
    let is_late = |it: &Acked<Args>| matches!(it.result, Err(AckError::Late));
    let is_any_missing = acks.iter().any(is_late) || !acks.missing().is_none();
    let answers = Array::of1(&is_any_missing.into());
    for args in acks.into_values() {
        answers.push(&arguments(&args));
    }
    answers.into()
}

/// Sends an event to the other objects, and with `asks` returns a promise of an array of
/// their answers, behind whether any is missing.
#[wasm_bindgen(js_name = emitToObjects)]
pub fn emit_to_objects(
    selection: &Selection,
    event: String,
    json: String,
    attachments: Option<Array>,
    asks: bool,
) -> Result<JsValue, JsValue> {
    let args = read(json, attachments.as_ref())?;
    let io = namespace(selection)?;
    settle(async move {
        if !asks {
            return nothing(io.server_side_emit(&event, args).await);
        }
        let answers = io.server_side_emit_with_ack(&event, args).await;
        answers.map(collect).map_err(emit_error)
    })
}

/// Lets them enter or leave rooms.
#[wasm_bindgen(js_name = moveMany)]
pub fn move_many(
    selection: &Selection,
    rooms: Vec<String>,
    enter: bool,
) -> Result<JsValue, JsValue> {
    let sockets = sockets(selection)?;
    settle(async move {
        nothing(match enter {
            true => sockets.join(rooms).await,
            false => sockets.leave(rooms).await,
        })
    })
}

/// Disconnects them, or closes their clients' sessions.
#[wasm_bindgen(js_name = disconnectMany)]
pub fn disconnect_many(selection: &Selection, close: bool) -> Result<JsValue, JsValue> {
    let sockets = sockets(selection)?;
    settle(async move {
        nothing(match close {
            true => sockets.close().await,
            false => sockets.disconnect().await,
        })
    })
}

/// Sockets, and how many objects are not among those that have them: -1 if that is not
/// known.
#[derive(Serialize)]
struct FetchedAll<'a> {
    sockets: Vec<Fetched<'a>>,
    missing: i64,
}

#[derive(Serialize)]
struct Fetched<'a> {
    id: &'a str,
    rooms: &'a [String],
    data: Option<Box<RawValue>>,
    handshake: dormouse::Handshake,
}

/// Returns what is known of each of them, as JSON, or a promise of it.
#[wasm_bindgen(js_name = fetchMany)]
pub fn fetch_many(selection: &Selection) -> Result<JsValue, JsValue> {
    let sockets = sockets(selection)?;
    settle(async move {
        let found = sockets.fetch_sockets().await.map_err(emit_error)?;
        let missing = objects(found.missing());
        let sockets: Vec<_> = found
            .iter()
            .map(|socket| Fetched {
                id: socket.id(),
                rooms: socket.rooms(),
                data: socket.data().ok().flatten(),
                handshake: socket.handshake(),
            })
            .collect();
        let json = serde_json::to_string(&FetchedAll { sockets, missing });
        Ok(json
            .map_err(|error| emit_error(EmitError::Json(error)))?
            .into())
    })
}

/// Returns their number, or a promise of it. The error of one that is not known has a property
/// `missing`, as what [`fetch_many`] returns.
#[wasm_bindgen(js_name = countMany)]
pub fn count_many(selection: &Selection) -> Result<JsValue, JsValue> {
    let sockets = sockets(selection)?;
    settle(async move {
        match sockets.count().await {
            Ok(count) => Ok(count.into()),
            Err(EmitError::Partial(missing)) => {
                let error = emit_error(EmitError::Partial(missing));
                Reflect::set(&error, &"missing".into(), &(objects(missing) as f64).into())?;
                Err(error)
            }
            Err(error) => Err(emit_error(error)),
        }
    })
}

/// Returns what the object of this number has done of what is billed since it woke up, as
/// JSON, if it is counted.
#[wasm_bindgen]
pub fn usage(object: u32) -> Option<String> {
    let usage = Here::find(object)?.namespace("/")?.usage()?;
    Some(counted(&usage))
}

/// Returns how many objects are missing, or -1 if that is not known.
fn objects(missing: Missing) -> i64 {
    match missing.others {
        true => -1,
        false => missing.objects as i64,
    }
}

fn nothing(outcome: Result<(), EmitError>) -> Result<JsValue, JsValue> {
    outcome.map(|()| JsValue::UNDEFINED).map_err(emit_error)
}
