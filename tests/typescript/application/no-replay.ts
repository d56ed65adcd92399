// A server whose listeners are not run again: it needs no AsyncLocalStorage.

import { Server } from "dormouse-io";

const io = new Server({ replay: false });

io.on("connection", (socket) => {
  socket.join("all");
  socket.data.error = "none";
  try {
    socket.on("chat", () => {});
  } catch (error) {
    socket.data.error = (error as Error).message;
  }
});
io.handle("error", (socket) => socket.data.error);
io.handle("shout", async (_socket, text: string) => {
  await Promise.resolve();
  // Nobody follows code that waits, so this is a request to the object.
  await io.to("all").emit("heard", text);
  return "shouted";
});

export class Dormouse extends io.DurableObject {}
export default { fetch: io.fetch };
