// What does not survive sleep.

import { Server } from "dormouse-io";

const io = new Server();

io.on("connection", (socket) => {
  let count = 0;
  socket.on("count", (ack) => {
    count += 1;
    ack(count);
  });
  socket.on("timer", (ack) => setTimeout(() => ack("late"), 10));
  socket.on("listen", (ack) => {
    socket.on("lost", (ack) => ack("heard"));
    ack();
  });
});

export class Dormouse extends io.DurableObject {}
export default { fetch: io.fetch };
