// A chat of rooms: names, who is here, and who is typing. It sleeps between messages, and
// nothing that it has to know is in a variable.

import { Server } from "dormouse-io";

interface ClientToServer {
  enter: (room: string, done: (people: string[]) => void) => void;
  message: (text: string) => void;
  typing: () => void;
}

interface ServerToClient {
  message: (name: string, text: string) => void;
  typing: (name: string) => void;
  entered: (name: string) => void;
  left: (name: string) => void;
}

interface SocketData {
  name: string;
  room?: string;
}

const io = new Server<ClientToServer, ServerToClient, Record<string, never>, SocketData>();

// Once, when a client connects.
io.use((socket, next) => {
  const name: unknown = socket.handshake.auth.name;
  if (typeof name !== "string" || name === "") return next(new Error("everybody here has a name"));
  socket.data.name = name.slice(0, 30);
  next();
});

// When a client connects, and again when a slept one is first heard: what is done through
// the socket in here is not done for a second time.
io.on("connection", (socket) => {
  socket.on("enter", async (room, done) => {
    const { name, room: before } = socket.data;
    if (before !== undefined) leave(before);
    socket.data.room = room;
    socket.join(room);
    socket.to(room).emit("entered", name);
    const everybody = await io.in(room).fetchSockets();
    done(everybody.map((other) => other.data.name).sort());
  });

  socket.on("message", (text) => {
    const { name, room } = socket.data;
    if (room !== undefined) io.to(room).emit("message", name, text);
  });

  socket.on("typing", () => {
    const { name, room } = socket.data;
    // It does not matter if it gets lost.
    if (room !== undefined) socket.to(room).volatile.emit("typing", name);
  });

  socket.on("disconnect", () => {
    if (socket.data.room !== undefined) leave(socket.data.room);
  });

  function leave(room: string): void {
    socket.leave(room);
    socket.to(room).emit("left", socket.data.name);
  }
});

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request, env, context): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    // Anything else in the Worker reaches the chat, too: curl -X POST 'localhost:8787/say?room=lobby&text=hello'
    if (request.method === "POST" && pathname === "/say") {
      await io.to(searchParams.get("room") ?? "lobby").emit("message", "the house", searchParams.get("text") ?? "");
      return new Response("said\n");
    }
    return io.fetch(request, env, context);
  },
} satisfies ExportedHandler;
