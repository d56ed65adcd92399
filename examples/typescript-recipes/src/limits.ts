// How much a client may send. Of all together, options of the server say so; of each event,
// the application: it counts in the socket's data, which outlasts sleep.

import { Server } from "dormouse-io";

interface ClientToServer {
  say: (text: string, done: (refused?: { error: string }) => void) => void;
  search: (text: string, done: (found: string | { error: string }) => void) => void;
  ping: (done?: (pong: string) => void) => void;
}

interface ServerToClient {
  said: (text: string) => void;
}

/** How often an event may be sent at this time. */
interface Bucket {
  tokens: number;
  /** Milliseconds since 1970. */
  at: number;
}

type SocketData = Record<string, Bucket>;

export const limits = new Server<ClientToServer, ServerToClient, Record<string, never>, SocketData>({
  path: "/limits/",
  // In a second in the long run, and at once. Whoever sends more is disconnected.
  rateLimit: { packets: [50, 200], joins: [1, 10] },
  // A client that connects again starts over; so it matters how often.
  addressRateLimit: { handshakes: [5, 50] },
  maxHttpBufferSize: 64 * 1024,
});

/** What an event may be sent: how often at once, and how many seconds each takes to be allowed again. */
const LIMITS = new Map([
  ["say", { most: 5, seconds: 2 }],
  ["search", { most: 2, seconds: 10 }],
]);

limits.on("connection", (socket) => {
  // An event that comes too often is not handled, and the socket stays.
  socket.use(([event, ...args], next) => {
    const wait = spend(socket.data, event);
    if (wait === undefined) return next();
    const done: unknown = args.at(-1);
    if (typeof done === "function") done({ error: `wait ${wait} s` });
  });

  socket.on("say", (text, done) => {
    socket.broadcast.emit("said", text);
    done();
  });

  socket.on("search", (text, done) => done(`nothing about ${text}`));

  socket.on("ping", (done) => done?.("pong"));
});

/** Counts an event. Returns how many seconds it takes to be allowed again if it comes too often. */
function spend(buckets: SocketData, event: string): number | undefined {
  const limit = LIMITS.get(event);
  if (!limit) return undefined;
  const { most, seconds } = limit;
  const now = Date.now();
  const bucket = (buckets[event] ??= { tokens: most, at: now });
  bucket.tokens = Math.min(most, bucket.tokens + (now - bucket.at) / (seconds * 1000));
  bucket.at = now;
  if (bucket.tokens < 1) return seconds;
  bucket.tokens -= 1;
  return undefined;
}
