// The benchmarks' application on dormouse-io, as one would write it: closures in a
// `connection` listener.

import { Server } from "dormouse-io";

const unlimited = 4_000_000_000;

// One client sends as fast as it can; heartbeats are rare, so that none falls into a round.
const io = new Server({
  pingInterval: 85_000,
  pingTimeout: 60_000,
  rateLimit: { packets: [unlimited, unlimited], bytes: [unlimited, unlimited], joins: [unlimited, unlimited] },
});

io.on("connection", (socket) => {
  socket.on("echo", (text) => socket.emit("echo", text));
  socket.on("bytes", (bytes) => socket.emit("bytes", bytes));
  socket.on("ack", (text, ack) => ack(text));
  socket.on("ask", async (text, ack) => ack(await socket.emitWithAck("question", text)));
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("leave", (room, ack) => {
    socket.leave(room);
    ack();
  });
  socket.on("cast", (room, text) => io.to(room).emit("cast", text));
});

export class Dormouse extends io.DurableObject {}
export default { fetch: io.fetch };
