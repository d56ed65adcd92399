//! What of a server's configuration cannot be served, and the remedy.

use dormouse_proto::socket::RESERVED_NAMES;

use crate::api::Application;
use crate::api::definition::Definition;
use crate::options::{ConfigError, Options};
use crate::placement::Placement;

impl Application {
    pub(crate) fn check(&self, options: &Options) -> Result<(), ConfigError> {
        let wrong = |option, remedy: &str| {
            Err(ConfigError {
                endpoint: options.path.clone(),
                option,
                remedy: remedy.to_owned(),
            })
        };
        if let Some(remedy) = &self.wrong {
            return wrong("namespace", remedy);
        }
        if let Some(method) = self.duplicate {
            return wrong(method, "it has two handlers; make one of them");
        }
        if self.definitions.is_empty() {
            return wrong("namespace", "define at least one, such as \"/\"");
        }
        for (index, Definition { name, handlers, .. }) in self.definitions.iter().enumerate() {
            let mut before = self.definitions.iter().take(index);
            if !name.is_empty() && before.any(|other| other.name == *name) {
                let remedy = format!("\"{name}\" is defined twice; put all its handlers into one");
                return wrong("namespace", &remedy);
            }
            if let Some((method, event)) = &handlers.duplicate {
                let what = if event.is_empty() { "it" } else { event };
                let remedy = format!("in \"{name}\", {what} has two handlers; make one of them");
                return wrong(method, &remedy);
            }
            if let Some((option, remedy)) = &handlers.wrong {
                return wrong(option, remedy);
            }
        }
        let names = self.definitions.iter().flat_map(|it| it.handlers.names());
        if let Some(name) = names.into_iter().find(|name| RESERVED_NAMES.contains(name)) {
            let remedy = format!(
                "`{name}` is not an event that clients send; use on_connect or on_disconnect"
            );
            return wrong("on", &remedy);
        }
        if self.settings.connect_timeout.is_zero() {
            return wrong("connect_timeout", "must be over 0; the usual value is 45 s");
        }
        if self.settings.max_packet > options.max_memory() {
            return wrong(
                "max_packet",
                "must be at most max_memory, or a single packet is too much",
            );
        }
        if self.settings.max_namespaces == 0 {
            return wrong("max_namespaces", "must be over 0");
        }
        let is_one = matches!(
            options.placement,
            Placement::Shards(1) | Placement::Key(_) | Placement::Spread(_)
        );
        if !is_one {
            return wrong(
                "placement",
                "rooms do not reach from one shard into another: use Placement::spread for many \
                 objects, Placement::Shards(1) for one, or Placement::Key where sockets with \
                 different keys have nothing to say to each other",
            );
        }
        if let Some(recovery) = &self.recovery {
            recovery.check(options)?;
            let hubs = options.placement.many().and_then(|spread| spread.hubs);
            if hubs.is_some_and(|hubs| hubs != 1) {
                return wrong(
                    "hubs",
                    "with recovery, each namespace has one hub, which logs its events; leave \
                     hubs out, or recovery",
                );
            }
        }
        self.alarms.check(options)
    }
}
