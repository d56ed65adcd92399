//! What the other half asks of one socket.

use core::time::Duration;

use dormouse::{Args, EmitError, Socket, Transport};
use js_sys::{Array, JSON};
use serde_json::value::RawValue;
use wasm_bindgen::prelude::*;

use crate::here::Here;
use crate::outcome::{arguments, data_error, emit_error, read, settle};

fn find(object: u32, socket: u32) -> Option<Socket> {
    Here::find(object)?.socket(socket)
}

/// Sends an event. Returns `false` if the socket has gone.
#[wasm_bindgen(js_name = emit)]
pub fn emit(
    object: u32,
    socket: u32,
    event: String,
    json: String,
    attachments: Option<Array>,
    volatile: bool,
) -> Result<JsValue, JsValue> {
    let Some(socket) = find(object, socket) else {
        return Ok(false.into());
    };
    let args = read(json, attachments.as_ref())?;
    settle(async move {
        let sent = match volatile {
            false => socket.emit(&event, args).await,
            true => socket.emit_volatile(&event, args).await,
        };
        done(sent)
    })
}

/// Sends an event, and returns a promise of its acknowledgement.
#[wasm_bindgen(js_name = ask)]
pub fn ask(
    object: u32,
    socket: u32,
    event: String,
    json: String,
    attachments: Option<Array>,
    timeout: Option<f64>,
) -> Result<JsValue, JsValue> {
    let socket = find(object, socket).ok_or_else(|| emit_error(EmitError::Gone))?;
    let args = read(json, attachments.as_ref())?;
    settle(async move {
        let answer = match timeout.map(millis) {
            Some(limit) => {
                let timed = socket.timeout(limit);
                timed.emit_with_ack::<Args>(&event, args).await
            }
            None => socket.emit_with_ack::<Args>(&event, args).await,
        };
        answer.map(|args| arguments(&args)).map_err(emit_error)
    })
}

/// Acknowledges an event.
#[wasm_bindgen(js_name = acknowledge)]
pub fn acknowledge(
    object: u32,
    socket: u32,
    ack: f64,
    json: String,
    attachments: Option<Array>,
) -> Result<JsValue, JsValue> {
    let Some(socket) = find(object, socket) else {
        return Ok(false.into());
    };
    let args = read(json, attachments.as_ref())?;
    // It was a number of at most 2^53.
    settle(async move { done(socket.ack(ack as u64).send(args).await) })
}

/// Lets the socket enter or leave rooms. Returns `false` if it has gone.
#[wasm_bindgen(js_name = move)]
pub fn move_(
    object: u32,
    socket: u32,
    rooms: Vec<String>,
    enter: bool,
) -> Result<JsValue, JsValue> {
    let Some(socket) = find(object, socket) else {
        return Ok(false.into());
    };
    settle(async move {
        done(match enter {
            true => socket.join(rooms).await,
            false => socket.leave(rooms).await,
        })
    })
}

/// Disconnects the socket, or closes its client's session.
#[wasm_bindgen(js_name = disconnect)]
pub fn disconnect(object: u32, socket: u32, close: bool) -> Result<JsValue, JsValue> {
    let Some(socket) = find(object, socket) else {
        return Ok(false.into());
    };
    settle(async move {
        match close {
            true => socket.close().await,
            false => socket.disconnect().await,
        }
        Ok(true.into())
    })
}

/// Returns the socket's id and namespace, or `undefined` once it has gone.
#[wasm_bindgen(js_name = identify)]
pub fn identify(object: u32, socket: u32) -> Option<Vec<String>> {
    let socket = find(object, socket)?;
    Some(vec![socket.id().to_owned(), socket.namespace().to_owned()])
}

/// Returns whether the socket is connected.
#[wasm_bindgen(js_name = isConnected)]
pub fn is_connected(object: u32, socket: u32) -> bool {
    find(object, socket).is_some_and(|socket| socket.is_connected())
}

/// Returns the names of the rooms that the socket is in.
#[wasm_bindgen(js_name = roomsOf)]
pub fn rooms_of(object: u32, socket: u32) -> Vec<String> {
    find(object, socket).map_or_else(Vec::new, |socket| socket.rooms())
}

/// Returns the transport that the socket's client uses, or `undefined` once it has gone.
#[wasm_bindgen(js_name = transportOf)]
pub fn transport_of(object: u32, socket: u32) -> Option<String> {
    let transport = find(object, socket)?.transport()?;
    Some(
        match transport {
            Transport::Polling => "polling",
            Transport::WebSocket => "websocket",
        }
        .to_owned(),
    )
}

/// Returns the handshake of the socket's client, with the socket's `auth`.
#[wasm_bindgen(js_name = handshakeOf)]
pub fn handshake_of(object: u32, socket: u32) -> JsValue {
    let handshake = find(object, socket).and_then(|socket| socket.handshake());
    let json = handshake.and_then(|handshake| serde_json::to_string(&handshake).ok());
    let parsed = json.map(|json| JSON::parse(&json).unwrap_or_default());
    parsed.unwrap_or_default()
}

/// Returns the socket's data as JSON, or `undefined` if there is none.
#[wasm_bindgen(js_name = dataOf)]
pub fn data_of(object: u32, socket: u32) -> Option<String> {
    let data: Option<Box<RawValue>> = find(object, socket)?.data().ok()?;
    data.map(|data| data.get().to_owned())
}

/// Replaces the socket's data by this JSON.
#[wasm_bindgen(js_name = setData)]
pub fn set_data(object: u32, socket: u32, json: String) -> Result<(), JsValue> {
    let Some(socket) = find(object, socket) else {
        return Ok(());
    };
    let data = RawValue::from_string(json);
    let data = data.map_err(|error| data_error(&dormouse::DataError::Json(error)))?;
    socket.set_data(&data).map_err(|error| data_error(&error))
}

/// Returns whether it is done; a socket that has gone is no error, as in socket.io.
fn done(outcome: Result<(), EmitError>) -> Result<JsValue, JsValue> {
    match outcome {
        Ok(()) => Ok(true.into()),
        Err(EmitError::Gone) => Ok(false.into()),
        Err(error) => Err(emit_error(error)),
    }
}

/// Returns a duration of the other half's.
pub(crate) fn millis(number: f64) -> Duration {
    // Nobody waits longer, and negative numbers become 0.
    Duration::from_millis(number as u64)
}
