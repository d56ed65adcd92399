// Who is it? A JSON Web Token says so, as long as it is valid. The client sends another one
// in time, on the open socket; whoever does not is disconnected.

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      JWT_KEY: string;
    }
  }
}

/** What a token says, and what is kept of its client. */
interface User {
  sub: string;
  /** Seconds since 1970. */
  exp: number;
}

interface ClientToServer {
  renew: (token: string, done: (error?: { error: string }) => void) => void;
  "who am I": (done: (id: string) => void) => void;
}

export const tokens = new Server<ClientToServer, Record<string, never>, Record<string, never>, User>({
  path: "/tokens/",
});

tokens.use(async (socket, next) => {
  const user = await verify(socket.handshake.auth.token);
  if (!user) return next(new Error("log in again"));
  socket.data = user;
  next();
});

tokens.on("connection", (socket) => {
  // No event is handled of a client whose token has expired, but one that brings another.
  socket.use(([event, ...args], next) => {
    if (event === "renew" || socket.data.exp > now()) return next();
    const done: unknown = args.at(-1);
    if (typeof done === "function") done({ error: "renew" });
  });

  socket.on("renew", async (token, done) => {
    const user = await verify(token);
    if (user?.sub !== socket.data.sub) return done({ error: "log in again" });
    socket.data = user;
    done();
  });

  socket.on("who am I", (done) => done(socket.data.sub));
});

/** Disconnects those whose tokens have expired: for a cron trigger, once a minute. */
export async function disconnectExpired(): Promise<void> {
  for (const socket of await tokens.fetchSockets()) {
    if (socket.data.exp <= now()) socket.disconnect();
  }
}

/** Returns what a token says that was signed with our key and has not expired. */
async function verify(token: unknown): Promise<User | undefined> {
  const [header, claims, signature, ...more] = String(token).split(".");
  if (!header || !claims || !signature || more.length > 0) return undefined;
  try {
    const bytes = new TextEncoder();
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", bytes.encode(env.JWT_KEY), algorithm, false, ["verify"]);
    const signed = bytes.encode(`${header}.${claims}`);
    if (!(await crypto.subtle.verify("HMAC", key, decode(signature), signed))) return undefined;
    // Or a token could choose how it is checked.
    if (JSON.parse(text(header)).alg !== "HS256") return undefined;
    const user = JSON.parse(text(claims)) as User;
    return user.exp > now() ? { sub: user.sub, exp: user.exp } : undefined;
  } catch {
    // It is not base64, or not JSON.
    return undefined;
  }
}

const text = (part: string): string => new TextDecoder().decode(decode(part));

const decode = (part: string): Uint8Array<ArrayBuffer> => Uint8Array.fromBase64(part, { alphabet: "base64url" });

const now = (): number => Math.floor(Date.now() / 1000);
