// What of socket.io's server cannot be offered here, and what to do instead.

const REMEDIES: Record<string, string> = {
  "new Server(httpServer)": "a Worker has no HTTP server: write `new Server(options)`, and export `{ fetch: io.fetch }`",
  "io.listen": "the Worker is called by the platform: export `{ fetch: io.fetch }` instead",
  "io.attach": "the Worker is called by the platform: export `{ fetch: io.fetch }` instead",
  "io.attachApp": "the Worker is called by the platform: export `{ fetch: io.fetch }` instead",
  "io.bind": "the Worker is called by the platform: export `{ fetch: io.fetch }` instead",
  "io.onconnection": "the Worker is called by the platform: export `{ fetch: io.fetch }` instead",
  "io.httpServer": "the Worker is called by the platform: export `{ fetch: io.fetch }` instead",
  "io.engine":
    "the layer below is in wasm: use `allowRequest` for what `engine.use` does, the option `headers` for its events, " +
    "and `await io.count()` for `clientsCount`",
  "io.adapter": "rooms are the Durable Object's, and need no adapter: leave it out",
  "io.close": "a Worker is not closed; `io.disconnectSockets(true)` disconnects everybody",
  "io.path": "it is an option: `new Server({ path: \"/chat/\" })`",
  "io.serveClient": "clients load socket.io-client from npm, a CDN, or your static assets",
  "io.connectTimeout": "it is an option: `new Server({ connectTimeout: 45_000 })`",
  "namespace.sockets":
    "sockets that sleep are not in memory: use `await io.fetchSockets()`, or `io.to(id)` for one of them",
  "namespace.adapter":
    "rooms are not in JavaScript's memory: use `await io.in(room).fetchSockets()`, which knows each socket's `rooms`",
  "socket.request": "requests do not survive sleep: `socket.handshake` has the URL, the headers and the query",
  "socket.client": "the client is in wasm: `socket.handshake` and `socket.conn.transport.name` say what is known of it",
  "socket.conn.on": "the connection is in wasm: `socket.conn.transport.name` is the transport at any time",
  "socket.conn.once": "the connection is in wasm: `socket.conn.transport.name` is the transport at any time",
  "socket.conn.close": "use `socket.disconnect(true)`",
};

/** Throws an error that says what to do instead. @internal */
export function notOffered(what: keyof typeof REMEDIES & string): never {
  throw new Error(`dormouse-io: ${what} is not offered: ${REMEDIES[what]}`);
}
