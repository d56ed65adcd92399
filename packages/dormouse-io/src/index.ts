// A Socket.IO server for Cloudflare Workers that sleeps between messages, with the API of
// socket.io. The server itself is in wasm: this is its face for JavaScript and TypeScript.

export { BroadcastOperator, RemoteSocket } from "./broadcast.js";
export type {
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
  Sent,
} from "./events.js";
export type { Handshake } from "./handshake.js";
export { type ExtendedError, Namespace } from "./namespace.js";
export type { Admin, HandshakeRequest, LogRecord, Rate, RateLimit, ServerOptions, Spread } from "./options.js";
export type { Schema, SchemaIssue, SchemaResult, Schemas } from "./schema.js";
export { Server } from "./server.js";
export { type DisconnectReason, type Event, Socket } from "./socket.js";
export type { Usage } from "./usage.js";
