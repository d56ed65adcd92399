// The Socket.IO servers of the reference: npm's `socket.io`, with the paths,
// options and routes of the test Worker. The application itself is in
// socket-application.mjs.
//
// Servers, all of which serve old clients (EIO=3) too:
//   /socket.io/       pingInterval 400 ms, pingTimeout 600 ms, connectTimeout 1 s, CORS *
//   /io/              the usual options, so that objects sleep; ours has bounds that
//                     tests can reach: 20 namespaces for a client, 50 rooms for a socket
//   /recovery/        the usual options, connection state recovery of 2 minutes
//   /recovery-short/  the same, of 1 second
//   /keyed/           the usual options, sockets placed by the query's `key` (ours only)
//   /deploy/          namespaces that change with a deploy: tests/worker/src/deploy.rs
//                     (ours only)
//   /msgpack/         the usual options, packets as socket.io-msgpack-parser writes them
//
// Namespaces of each server:
//   /               emits `auth` (the client's auth, {} if none) on connection; on
//                   /recovery/ and /recovery-short/ instead `welcome` ({ recovered })
//   /custom         as /
//   /chat           greets with nothing
//   /plain          as /chat, and no middleware looks at its events (ours only)
//   /refuse         refused unless auth.token is "good": "not authorized", with the data
//                   { content: "Please retry later" } where auth.data is set
//   /slow           takes 100 ms to connect, or auth.delay
//   /guarded        two middlewares, of which the first does what auth.guard says, after
//                   auth.delay ms: "disconnect" or "close" the socket, "refuse" it
//                   ("not today"), "disconnect and refuse" it; the second writes the
//                   log line { event: "guarded", name: auth.name }
//   /greeting       on connection does what auth.greet says: "disconnect" or "close" emits
//                   `bye` and does so; "ask" emits `question` with an acknowledgement, and
//                   `answered` with the values; "ask all" the same in a broadcast, with
//                   all values; "ask and refuse" emits `question`, and disconnects the
//                   socket unless the answer is "yes"
//   /dynamic-<id>   by pattern: one or more characters other than `/`
//   /tenant/<name>  by predicate: where auth.tenant is that name
//   /later/<name>   by a predicate that writes the log line { event: "asked", name }, and
//                   waits for 50 ms, or auth.delay; where auth.guard is "refuse" or "fail",
//                   there is none, "panic" and "hang" do so (ours only)
// A new namespace writes the log lines { event: "new namespace", namespace } and { event:
// "namespace opened", namespace }, the second after 50 ms if its name ends with "-waits",
// and not at all if with "-fails" (both ours only).
//
// In every namespace a new socket joins the rooms of auth.rooms (an array), and its
// data is { name: auth.name ?? null }. A recovered one keeps both. Where auth.announce
// (a room) is set, that room hears `arrived`, with what `fetch` finds in it.
//
// Events, in every namespace (→ what the acknowledgement holds, where one is asked for):
//   message (…args)              emits `message-back` with the same; never acknowledged
//   message-with-ack (…args)     → the same args
//   emit-with-ack (…args)        emits `emit-with-ack` with them, asking for an
//                                acknowledgement, and `emit-with-ack` again with its values
//   ask (ms, …args)              emits `question` with args and this timeout
//                                → "answer", …values; or "timeout"; or "gone"
//   echo-nothing ()              → no values
//   join (room | [rooms])        → the socket's rooms, sorted, without that of its id
//   leave (room), rooms ()       → the same
//   cast (operators, event, …args)
//                                emits to many → "ok"; where operators.ack is set
//                                → "ok" or "timeout", [first value of each answer, sorted]
//   cast-children ({ to, except }, event, …args)
//                                emits to all namespaces /dynamic-<id> → "ok"
//   cast-to (pattern)            emits `to-pattern` with it to all namespaces of that pattern
//                                → "ok" (ours only)
//   count (operators, event, …args)
//                                emits to many, who answer a number → [[id, it or what is
//                                wrong], …], sorted (ours only)
//   direct (id, event, …args)    emits to one socket by its id → "ok"
//   fetch (operators)            → [[id, rooms as above, data], …], sorted
//   make-join (operators, room), make-leave (operators, room)
//   make-disconnect (operators, close), close-room (room)
//                                → "ok"
//   within (room)                emits `within` to it by each method of this name, with
//                                "socket", "io" and "broadcast" → "ok"
//   keep (name)                  keeps the handles of the socket and the acknowledgement
//   use (name, method)           → what comes of a method of theirs
//   drop (name)                  → whether they were kept
//   wait (name, value)           → value, once released
//   release (name)               → whether somebody waited (all five ours only)
//   sql (statement)              → the rows of the object's storage (ours only)
//   set-data (value)             → "ok"
//   get-data ()                  → the data
//   who ()                       → the socket's id, the namespace's name
//   handshake ()                 → the handshake
//   auth ()                      → the socket's auth
//   auths ()                     → id and auth of each socket of the namespace
//   typed (string, integer)      → "string:integer"
//   fail (text)                  the handler fails
//   with-bytes (value)           → value, and the bytes 1, 2, 3 (ours only)
//   decline (text, data)         the handler fails with an error for the client (ours only)
//   ack-and-fail (…args)         → the same args, twice, and the handler fails (ours only)
//   emit (name)                  emits an event of this name, with "hello" (ours only)
//   slow (ms, value)             → value, after ms
//   burst (n)                    emits `n` with 0, 1, … n - 1
//   big (bytes)                  emits `big` with this many "x"
//   big-binary (bytes)           emits `big-binary` with this many bytes 0x2a
//   blocked ()                   stopped by a middleware before any handler
//   leave-me (close)             disconnects the socket; with `close`, its whole client
//   later (ms, …args)            emits `later` with args after ms
//   anything else (…args)        emits `any` with the event's name and args
//
// operators: { from: "socket" | "server", to: [], in: [], except: [], broadcast, local,
// volatile, timeout: ms, ack }. From the socket (the default) they select all
// sockets except itself, and from the server all sockets.
//
// Log lines: { event: "connected", socket, namespace, recovered, name }, { event:
// "disconnecting", socket, rooms, reason }, { event: "disconnected", socket, reason }.
//
// Routes, with ?path=/io/&namespace=/&to=room&to=room&except=room:
//   POST /io-route/emit             &event=name, body: JSON array of args → "ok"
//   POST /io-route/emit-with-ack    the same, &timeout=ms → JSON array of first values
//   POST /io-route/emit-children    as emit, to all namespaces /dynamic-<id>
//   GET  /io-route/fetch            → JSON, as the event
//   POST /io-route/make-join, /io-route/make-leave   &room=name → "ok"
//   POST /io-route/make-disconnect  &close=1 → "ok"
// An unknown path or route is answered with 404.

import { Server } from 'socket.io';
import msgpack from 'socket.io-msgpack-parser';
import { attachSocketApplication, list } from './socket-application.mjs';

const common = { allowEIO3: true, serveClient: false };
const recovery = (maxDisconnectionDuration) => ({
  connectionStateRecovery: { maxDisconnectionDuration, skipMiddlewares: true },
});
const endpoints = {
  '/socket.io/': {
    pingInterval: 400,
    pingTimeout: 600,
    connectTimeout: 1_000,
    maxHttpBufferSize: 1_000_000,
    cors: { origin: '*' },
  },
  '/io/': {},
  '/recovery/': recovery(120_000),
  '/recovery-short/': recovery(1_000),
  '/msgpack/': { parser: msgpack },
};

/** Puts the servers onto an HTTP server; `{ engines, routes }`. */
export function attachSocketServers(httpServer, logs) {
  const servers = new Map();
  for (const [path, options] of Object.entries(endpoints)) {
    const io = new Server(httpServer, { ...common, ...options, path });
    attachSocketApplication(io, logs, { recovers: 'connectionStateRecovery' in options });
    servers.set(path, io);
  }
  const engines = [...servers.values()].map(({ engine }) => engine);
  const routes = (url, body) => operate(servers, url, body);
  return { engines, routes };
}

/** What another part of a Worker does with sockets: the answer, or undefined for a 404. */
async function operate(servers, url, body) {
  const query = url.searchParams;
  const io = servers.get(query.get('path'));
  const what = url.pathname.slice('/io-route/'.length);
  if (!io) return undefined;
  const target = io
    .of(query.get('namespace') ?? '/')
    .to(query.getAll('to'))
    .except(query.getAll('except'));
  const [event, room] = [query.get('event'), query.get('room')];
  switch (what) {
    case 'emit-children':
      io.children.to(query.getAll('to')).except(query.getAll('except')).emit(event, ...JSON.parse(body));
      return 'ok';
    case 'emit':
      target.emit(event, ...JSON.parse(body));
      return 'ok';
    case 'emit-with-ack': {
      const asked = target.timeout(Number(query.get('timeout') ?? 1_000));
      const responses = asked.emitWithAck(event, ...JSON.parse(body));
      return JSON.stringify(await responses.catch((error) => error.responses));
    }
    case 'fetch':
      return JSON.stringify(list(await target.fetchSockets()));
    case 'make-join':
      target.socketsJoin(room);
      return 'ok';
    case 'make-leave':
      target.socketsLeave(room);
      return 'ok';
    case 'make-disconnect':
      target.disconnectSockets(query.get('close') === '1');
      return 'ok';
    default:
      return undefined;
  }
}
