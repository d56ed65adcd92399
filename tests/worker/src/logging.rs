//! A server with a logger of its own, which a test can make panic.

use dormouse::{LogRecord, Server};
use serde_json::{Map, json};

use crate::socket::{self, tell};

pub(crate) fn server() -> Server {
    socket::server("/logged/").logger(|record: &LogRecord| {
        if record.field("message") == Some("panic in the logger") {
            panic!("asked to, in the logger");
        }
        let fields = record.fields();
        let fields: Map<_, _> = fields
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        let level = format!("{:?}", record.level());
        tell(json!({
            "logged": record.event(),
            "server": record.server(),
            "level": level,
            "fields": fields,
            "line": record.to_string(),
        }));
    })
}
