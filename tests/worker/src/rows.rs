//! The rows beneath, for tests that read and damage them.

use dormouse::{HandlerError, Namespace, Socket};
use serde_json::Value;

pub(crate) fn rows(namespace: Namespace) -> Namespace {
    namespace.on("sql", |socket: Socket, (statement,): (String,)| {
        let cursor = socket.storage().sql().exec(&statement, None);
        let rows = cursor.and_then(|cursor| cursor.to_array::<Value>());
        rows.map_err(HandlerError::internal)
    })
}
