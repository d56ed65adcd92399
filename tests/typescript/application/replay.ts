// `connection` listeners that wait, and what of them is repeated after sleep.

import { Server } from "dormouse-io";

type Any = (...args: any[]) => void;
type Ack = (...values: unknown[]) => void;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const io = new Server<{ [event: string]: Any }>();

/** How often each thing has been run since the object woke up. */
const runs = { middleware: 0, listener: 0 };

io.use((_socket, next) => {
  runs.middleware += 1;
  next();
});

io.on("connection", async (socket) => {
  runs.listener += 1;
  // What goes through the socket happens once.
  socket.data.connections = (socket.data.connections ?? 0) + 1;
  socket.join("before");
  socket.emit("said", "before");
  await wait(20);
  socket.data.waited = (socket.data.waited ?? 0) + 1;
  socket.emit("said", "after");
  io.emit("said", "everybody");
  socket.broadcast.emit("said", "others");
  io.in("before").socketsJoin("after");
  if (!socket.replayed) socket.data.name = await socket.emitWithAck("name?");

  socket.on("what", (ack: Ack) => {
    ack({ ...runs, replayed: socket.replayed, data: socket.data, rooms: [...socket.rooms].filter((it) => it !== socket.id).sort() });
  });
  socket.on("ordered", (number: number) => socket.emit("said", number));
  socket.on("leave room", (ack: Ack) => {
    socket.leave("before");
    ack();
  });
  // A timer of a listener that is run again is no part of it.
  setTimeout(() => socket.emit("said", "timer"), 40);
});

io.of("/asks").on("connection", async (socket) => {
  socket.on("early", (ack: Ack) => ack("early"));
  await socket.emitWithAck("name?");
  socket.on("late", (ack: Ack) => ack("late"));
});

io.of("/sync").on("connection", (socket) => {
  socket.emit("said", "hello");
  if (socket.handshake.auth.leave) socket.disconnect();
  socket.on("what", (ack: Ack) => ack(socket.connected));
});

const answers: unknown[] = [];
io.of("/calls").on("connection", (socket) => {
  const called = (error: Error | null, answer: unknown): void => void answers.push(error?.message ?? answer);
  socket.timeout(5_000).emit("name?", called);
  io.of("/calls").timeout(5_000).emit("name?", called);
  socket.on("answers", (ack: Ack) => ack(answers));
});

export class Dormouse extends io.DurableObject {}
export default { fetch: io.fetch };
