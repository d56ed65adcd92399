// Rooms of people with names, with dormouse-io. server.mjs is the same on socket.io: what is
// registered has not changed.

import { Server } from "dormouse-io";

const io = new Server();

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
async function announce(request: Request, room: string): Promise<Response> {
  await io.to(`room ${room}`).emit("announced", await request.text());
  return new Response();
}

export class Dormouse extends io.DurableObject {}

export default {
  fetch(request, env, context): Promise<Response> {
    const [, room] = /^\/announce\/([^/]+)$/.exec(new URL(request.url).pathname) ?? [];
    return room === undefined ? io.fetch(request, env, context) : announce(request, room);
  },
} satisfies ExportedHandler;
