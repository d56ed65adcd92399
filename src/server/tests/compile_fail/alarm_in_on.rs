//~ a handler of kind `OnEvent` cannot take an `Alarm`
//~ other handlers set one with `Io::set_alarm`
use dormouse::{Alarm, Namespace};

pub fn handlers(namespace: Namespace) -> Namespace {
    namespace.on("say", async |_alarm: Alarm| ())
}
