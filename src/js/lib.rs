//! The server for applications in JavaScript and TypeScript: the wasm of the npm package
//! `dormouse-io`, whose other half is in `packages/dormouse-io`.
//!
//! It is an application of the public Rust interface, and contains no rule of either
//! protocol. The other half is its `Host`: it describes the servers, and
//! hears of everything that their clients do. It holds numbers instead of objects of this
//! instance, because those die with it: an object and its sockets are
//! numbered when they are first heard of.
//!
//! Nothing here calls the host while it holds a borrow, so the host may call back.

mod application;
mod handlers;
mod here;
mod host;
pub mod many;
mod options;
mod outcome;
pub mod socket;

use wasm_bindgen::prelude::*;

use crate::host::Host;

dormouse::worker!();

/// Takes the application from its host, once for each instance.
///
/// # Errors
///
/// It cannot be served: the error says why.
#[wasm_bindgen]
pub fn install(host: Host) -> Result<(), JsValue> {
    let servers = host.describe();
    host::set(host);
    let app = application::describe(&servers);
    dormouse::install(app).map_err(|message| js_sys::Error::new(&message).into())
}

/// Returns the option of a server that cannot be served, and the remedy; `undefined` if
/// there is none.
#[wasm_bindgen]
pub fn check(server: &JsValue) -> Option<Vec<String>> {
    let error = application::describe(&js_sys::Array::of1(server))
        .check()
        .err()?;
    Some(vec![error.option().to_owned(), error.remedy().to_owned()])
}
