// Rooms of people with names, on socket.io. worker.ts is the same with dormouse-io.

import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer(announce);
const io = new Server(server);

io.use((socket, next) => {
  const { name } = socket.handshake.auth;
  if (!name) return next(new Error("who are you?"));
  socket.data.name = name;
  next();
});

io.on("connection", (socket) => {
  const { name } = socket.data;
  socket.join(`user ${name}`);

  // Who is there is the acknowledgement.
  socket.on("join", async (room, answer) => {
    socket.join(`room ${room}`);
    socket.to(`room ${room}`).emit("joined", name);
    const everybody = await io.in(`room ${room}`).fetchSockets();
    answer(everybody.map((other) => other.data.name).sort());
  });

  socket.on("say", (room, text, answer) => {
    if (!socket.rooms.has(`room ${room}`)) return answer({ error: "join the room first" });
    socket.to(`room ${room}`).emit("said", name, text);
    answer();
  });

  // To all devices of one person.
  socket.on("whisper", (to, text) => io.to(`user ${to}`).emit("whispered", name, text));

  // What everybody in the room answers within a second is the acknowledgement.
  socket.on("ask", async (room, question, answer) => {
    const asked = io.in(`room ${room}`).timeout(1000).emitWithAck("asked", question);
    const answers = await asked.catch((error) => error.responses);
    answer(answers.sort());
  });

  socket.on("disconnecting", () => {
    for (const room of socket.rooms) {
      if (room.startsWith("room ")) socket.to(room).emit("left", name);
    }
  });
});

// `POST /announce/<room>` tells everybody in it.
async function announce(request, response) {
  const [, room] = /^\/announce\/([^/]+)$/.exec(request.url) ?? [];
  if (room === undefined) return response.writeHead(404).end();
  let text = "";
  for await (const chunk of request) text += chunk;
  io.to(`room ${room}`).emit("announced", text);
  response.end();
}

server.listen(process.env.PORT ?? 3000, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}`);
});
