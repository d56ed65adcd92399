// The server as a part of an application on Hono.

import { Server } from "dormouse-io";
import { Hono } from "hono";

const io = new Server();
io.handle("echo", (_socket, value: unknown) => value);

const app = new Hono();
app.all("/socket.io/*", io.hono());
app.post("/shout", async (context) => {
  await io.emit("shout", await context.req.text());
  return context.text("done");
});

export class Dormouse extends io.DurableObject {}
export default app;
