// A server in many objects: rooms, acknowledgements and recovery reach all of them.

import { Server } from "dormouse-io/spread";

type Ack = (...values: unknown[]) => void;

const io = new Server({
  placement: { objects: 8 },
  connectionStateRecovery: {},
  ackTimeout: 2_000,
});

io.on("connection", (socket) => {
  socket.join("everybody");
  socket.on("where", (ack: Ack) => ack(socket.id, socket.recovered));
  socket.on("say", async (text: string, ack: Ack) => {
    await io.to("everybody").emit("said", text);
    ack("ok");
  });
  socket.on("who", async (ack: Ack) => {
    const sockets = await io.in("everybody").fetchSockets();
    ack(sockets.map(({ id }) => id).sort(), (sockets as { missing?: number }).missing ?? 0);
  });
  socket.on("count", async (ack: Ack) => {
    ack(await io.in("everybody").count().catch(({ message, missing }) => [message, missing]));
  });
  socket.on("ask", async (ack: Ack) => {
    ack((await io.to("everybody").emitWithAck("asked")).sort());
  });
  socket.on("tell", async (id: string, text: string, ack: Ack) => {
    await io.to(id).emit("told", text);
    ack("ok");
  });
});

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request: Request, env: unknown, context: unknown): Promise<Response> {
    if (new URL(request.url).pathname !== "/say") return io.fetch(request, env, context);
    await io.emit("said", "from elsewhere");
    return new Response("said");
  },
};
