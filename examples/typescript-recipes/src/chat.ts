// A chat of rooms with a history. Messages are rows in D1; whoever enters a room gets the last
// ones, and asks for older ones page by page. A client that comes back after a lost connection
// is still in its rooms and gets what it has missed.

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      HISTORY: D1Database;
    }
  }
}

interface Message {
  id: number;
  room: string;
  name: string;
  text: string;
  /** Milliseconds since 1970. */
  at: number;
}

interface Refused {
  error: string;
}

interface ClientToServer {
  enter: (room: string, done: (last: Message[] | Refused) => void) => void;
  older: (room: string, id: number, done: (page: Message[] | Refused) => void) => void;
  say: (room: string, text: string, done: (said: Message | Refused) => void) => void;
}

interface ServerToClient {
  said: (message: Message) => void;
}

export const chat = new Server<ClientToServer, ServerToClient, Record<string, never>, { name: string }>({
  path: "/chat/",
  connectionStateRecovery: {},
  maxRooms: 20,
  // Or of two messages of a client the second could be in the database before the first.
  inOrder: true,
});

/**
 * The messages of a page, and those that are kept of all rooms together: rooms cost nothing
 * to make, so there is no end of them.
 */
const PAGE = 50;
const KEPT = 10_000;

const LONGEST_NAME = 40;
const LONGEST_TEXT = 2000;

chat.use((socket, next) => {
  const wrong = whatIsWrong("name", socket.handshake.auth.name, LONGEST_NAME);
  if (wrong) return next(new Error(wrong));
  socket.data.name = socket.handshake.auth.name.trim();
  next();
});

// Enters a room. Its last messages are the acknowledgement, the oldest first. One that is said
// meanwhile may come twice, and is known by its id.
chat.handle("enter", async (socket, room) => {
  const wrong = whatIsWrong("room", room, LONGEST_NAME);
  if (wrong) return { error: wrong };
  socket.join(room.trim());
  return page(room.trim(), Number.MAX_SAFE_INTEGER);
});

// Returns the page before a message.
chat.handle("older", async (socket, room, id) => {
  if (!socket.rooms.has(room)) return { error: "enter the room first" };
  return page(room, Number(id));
});

// Tells everybody else in the room. The message is the acknowledgement, with its id.
chat.handle("say", async (socket, room, text) => {
  if (!socket.rooms.has(room)) return { error: "enter the room first" };
  const wrong = whatIsWrong("text", text, LONGEST_TEXT);
  if (wrong) return { error: wrong };
  const message = await add(room, socket.data.name, text.trim());
  socket.to(room).emit("said", message);
  return message;
});

/** Stores a message, and deletes the oldest one if there are too many. */
async function add(room: string, name: string, text: string): Promise<Message> {
  const insert = "INSERT INTO messages (room, name, text, at) VALUES (?, ?, ?, ?) RETURNING *";
  const forget = "DELETE FROM messages WHERE id <= (SELECT max(id) FROM messages) - ?";
  const [added] = await env.HISTORY.batch<Message>([
    env.HISTORY.prepare(insert).bind(room, name, text, Date.now()),
    env.HISTORY.prepare(forget).bind(KEPT),
  ]);
  const [message] = added?.results ?? [];
  if (!message) throw new Error("D1 has not returned what was inserted");
  return message;
}

/** Returns the last messages of a room before this one, the oldest first. */
async function page(room: string, before: number): Promise<Message[]> {
  const select = "SELECT * FROM messages WHERE room = ? AND id < ? ORDER BY id DESC LIMIT ?";
  const { results } = await env.HISTORY.prepare(select).bind(room, before, PAGE).all<Message>();
  return results.reverse();
}

/** Returns what is wrong with a text, if anything is. */
function whatIsWrong(what: string, text: unknown, longest: number): string | undefined {
  if (typeof text !== "string" || text.trim() === "") return `${what} is empty`;
  return text.trim().length > longest ? `${what} has more than ${longest} characters` : undefined;
}
