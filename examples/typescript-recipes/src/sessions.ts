// Sessions of a web site, in KV: whoever has logged in there is known here by the cookie, and
// whoever logs out there is disconnected here.

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      SESSIONS: KVNamespace;
    }
  }
}

interface ClientToServer {
  "who am I": (done: (user: string) => void) => void;
}

interface SocketData {
  /** The id of the session, whose tabs are in a room of that name. */
  session: string;
  user: string;
}

export const sessions = new Server<ClientToServer, Record<string, never>, Record<string, never>, SocketData>({
  path: "/sessions/",
});

/** In seconds. */
const LIFETIME = 7 * 24 * 60 * 60;

sessions.use(async (socket, next) => {
  const session = cookie(String(socket.handshake.headers.cookie));
  const user = session && (await env.SESSIONS.get(session));
  if (!session || !user) return next(new Error("log in first"));
  socket.data = { session, user };
  next();
});

sessions.on("connection", (socket) => {
  socket.join(socket.data.session);
  socket.on("who am I", (done) => done(socket.data.user));
});

/**
 * Answers `POST /log-in` with a name. A page on the same origin sends the cookie along when
 * it connects.
 */
export async function logIn(request: Request): Promise<Response> {
  const name = await request.text();
  // Check the password, or whatever it is.
  const session = crypto.randomUUID();
  await env.SESSIONS.put(session, name, { expirationTtl: LIFETIME });
  const attributes = `Path=/; Max-Age=${LIFETIME}; HttpOnly; Secure; SameSite=Lax`;
  return new Response(null, { headers: { "set-cookie": `session=${session}; ${attributes}` } });
}

/** Answers `POST /log-out`. */
export async function logOut(request: Request): Promise<Response> {
  const session = cookie(request.headers.get("cookie") ?? "");
  if (session) {
    // A session may be read from KV for a minute after it is deleted.
    await env.SESSIONS.delete(session);
    await sessions.in(session).disconnectSockets();
  }
  return new Response();
}

/** Returns the id of the session in a `Cookie` header. */
function cookie(header: string): string | undefined {
  return /(?:^|;\s*)session=([\da-f-]{36})(?:;|$)/.exec(header)?.[1];
}
