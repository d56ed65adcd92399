//~ a handler of kind `OnAlarm` is not called for a `Socket`
//~ `on_alarm` takes an `Alarm` and an `Io`
use dormouse::{Server, Socket};

pub fn server(server: Server) -> Server {
    server.on_alarm("tick", async |_socket: Socket| ())
}
