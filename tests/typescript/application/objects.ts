// Events to the object of a server, from elsewhere in the Worker.

import { Server } from "dormouse-io";

type Ack = (...values: unknown[]) => void;

const io = new Server();

io.on("connection", (socket) => {
  socket.on("tell", (text: string) => io.serverSideEmit("tell", text));
});
io.on("tell", (text: string) => io.local.emit("said", `told ${text}`));
io.on("double", async (number: number, ack: Ack) => {
  await Promise.resolve();
  ack(number * 2);
});

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request: Request, env: unknown, context: unknown): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/tell":
        await io.serverSideEmit("tell", searchParams.get("text"));
        return new Response("told");
      case "/double":
        return Response.json(await io.serverSideEmitWithAck("double", 21));
      default:
        return io.fetch(request, env, context);
    }
  },
};
