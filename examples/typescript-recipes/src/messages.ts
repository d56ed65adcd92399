// Private messages, which wait for whoever is away. Each is a row in D1 until one of its
// receiver's devices says that it has been seen. All devices of both users get it, and a
// device that connects gets what has not been seen.

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      INBOX: D1Database;
    }
  }
}

interface Message {
  /** Ids only grow. A device may get a message twice, and knows it by this. */
  id: number;
  sender: string;
  receiver: string;
  text: string;
}

interface ClientToServer {
  send: (receiver: string, text: string, done: (sent: Message | { error: string }) => void) => void;
  seen: (id: number, done: () => void) => void;
}

interface ServerToClient {
  unseen: (messages: Message[]) => void;
  message: (message: Message) => void;
  seen: (id: number) => void;
}

export const messages = new Server<ClientToServer, ServerToClient, Record<string, never>, { name: string }>({
  path: "/messages/",
});

/** The messages that may wait for a user. */
const MOST = 500;
const LONGEST = 2000;

/** The room of a user's devices. */
const room = (name: string) => `user ${name}`;

// Check who it is: see tokens.ts.
messages.use((socket, next) => {
  const name: unknown = socket.handshake.auth.name;
  if (typeof name !== "string" || name === "") return next(new Error("who are you?"));
  socket.data.name = name;
  next();
});

messages.on("connection", async (socket) => {
  const { name } = socket.data;
  socket.join(room(name));
  // The database is not asked again when a socket that has slept is heard.
  if (!socket.replayed) socket.emit("unseen", await unseen(name));

  // The message is the acknowledgement: it is safe then.
  socket.on("send", async (receiver, text, done) => {
    if (typeof receiver !== "string" || typeof text !== "string" || text === "" || text.length > LONGEST) {
      return done({ error: `a text has 1 to ${LONGEST} characters` });
    }
    // Check that there is such a user, and that they want to hear from the sender.
    const message = await add(name, receiver, text);
    if (!message) return done({ error: "too much waits for them already" });
    socket.to([room(name), room(receiver)]).emit("message", message);
    done(message);
  });

  // One device has shown all messages up to this one. The others need not.
  socket.on("seen", async (id, done) => {
    await env.INBOX.prepare("DELETE FROM messages WHERE receiver = ? AND id <= ?").bind(name, Number(id)).run();
    socket.to(room(name)).emit("seen", id);
    done();
  });
});

/** Stores a message, unless there are too many for this receiver. */
function add(sender: string, receiver: string, text: string): Promise<Message | null> {
  const insert = `INSERT INTO messages (sender, receiver, text) SELECT ?1, ?2, ?3
    WHERE (SELECT count(*) FROM messages WHERE receiver = ?2) < ?4 RETURNING *`;
  return env.INBOX.prepare(insert).bind(sender, receiver, text, MOST).first<Message>();
}

async function unseen(receiver: string): Promise<Message[]> {
  const select = "SELECT * FROM messages WHERE receiver = ? ORDER BY id";
  return (await env.INBOX.prepare(select).bind(receiver).all<Message>()).results;
}
