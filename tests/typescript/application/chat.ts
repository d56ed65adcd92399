// A chat, in TypeScript. Each message passes through a closure that is gone after sleep.

import { Server } from "dormouse-io";

interface ClientToServer {
  chat: (text: string, ack?: (answer: string) => void) => void;
  enter: (room: string, ack: (rooms: string[]) => void) => void;
  count: (ack: (count: number) => void) => void;
  bytes: (bytes: Uint8Array, ack: (bytes: Uint8Array) => void) => void;
  ask: (ack: (answer: string) => void) => void;
  who: (ack: (ids: string[]) => void) => void;
  replayed: (ack: (replayed: boolean) => void) => void;
}

interface ServerToClient {
  chat: (text: string) => void;
  welcome: (id: string) => void;
  question: (ack: (answer: string) => void) => void;
}

export const io = new Server<ClientToServer, ServerToClient, Record<string, never>, { count?: number; name: string }>({
  cors: { origin: "*" },
});

io.use((socket, next) => {
  const { name } = socket.handshake.auth as { name?: string };
  if (name === "nobody") return next(Object.assign(new Error("who are you?"), { data: { code: 7 } }));
  socket.data.name = name ?? "somebody";
  next();
});

io.on("connection", async (socket) => {
  socket.join("lobby");
  socket.emit("welcome", socket.id);
  await Promise.resolve();
  io.to("lobby").except(socket.id).emit("chat", `${socket.data.name} has come`);
  let count = 0;

  socket.on("chat", (text, ack) => {
    count += 1;
    io.to("lobby").emit("chat", `${socket.data.name}: ${text}`);
    ack?.("sent");
  });
  socket.on("enter", (room, ack) => {
    socket.join(room);
    ack([...socket.rooms].filter((it) => it !== socket.id).sort());
  });
  socket.on("count", async (ack) => {
    socket.data.count = (socket.data.count ?? 0) + 1;
    await Promise.resolve();
    ack(socket.data.count);
  });
  socket.on("bytes", (bytes, ack) => ack(bytes.map((it) => it + 1)));
  socket.on("ask", async (ack) => ack(await socket.emitWithAck("question")));
  socket.on("who", async (ack) => ack((await io.in("lobby").fetchSockets()).map((it) => it.data.name).sort()));
  socket.on("replayed", (ack) => ack(socket.replayed));
  socket.on("disconnect", (reason) => {
    io.emit("chat", `${socket.data.name} has gone: ${reason}`);
  });
});

io.of("/game").handle("move", (socket, x: number, y: number) => {
  socket.broadcast.emit("chat", `moved to ${x + y}`);
  return x + y;
});

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request: Request, env: unknown, context: unknown): Promise<Response> {
    if (new URL(request.url).pathname === "/announce") {
      await io.to("lobby").emit("chat", "announced");
      return new Response("done");
    }
    return io.fetch(request, env, context);
  },
};
