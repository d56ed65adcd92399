//! Servers with loggers: one of its own, which a test can make panic, and ready-made ones.
//! And one that is traced.

use core::time::Duration;

use dormouse::engine::Engine;
use dormouse::{LogRecord, Recovery, Server, Socket, loggers, sleep};
use serde_json::{Map, json};

use crate::socket::{self, tell};
use crate::{admit_later, echo, tasks};

pub(crate) fn servers() -> [Server; 5] {
    [
        logged(),
        socket::server("/observed/")
            .logger(loggers::console)
            .logger(loggers::diagnostics_channel)
            .logger(loggers::analytics("ANALYTICS")),
        socket::server("/unbound/").logger(loggers::analytics("NOWHERE")),
        socket::server("/traced/")
            .tracing(true)
            .namespace("/stored", |namespace| namespace.on("store", store)),
        socket::server("/traced-seldom/")
            .tracing(true)
            .admit(admit_later)
            .recovery(Recovery::default().max_disconnection(Duration::from_secs(1)))
            .on_usage(|| ()),
    ]
}

/// Engine.IO that is traced.
pub(crate) fn engine() -> Engine {
    tasks::alarms_of(echo("/traced-engine/"))
        .task_limit(Duration::from_secs(1))
        .tracing(true)
}

/// Stores something, after a while.
async fn store(socket: Socket) -> worker::Result<()> {
    sleep(Duration::from_millis(20)).await;
    socket.storage().put("stored", 1).await
}

fn logged() -> Server {
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
