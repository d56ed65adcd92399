// Who is here, over several devices: the first one makes a user present, and the last one
// that goes makes them absent.

import { Server, type Socket } from "dormouse-io";

interface ClientToServer {
  "log out": () => void;
}

interface ServerToClient {
  here: (name: string) => void;
  gone: (name: string) => void;
  everybody: (names: string[]) => void;
}

interface SocketData {
  name: string;
}

type Device = Socket<ClientToServer, ServerToClient, Record<string, never>, SocketData>;

export const presence = new Server<ClientToServer, ServerToClient, Record<string, never>, SocketData>({
  path: "/presence/",
});

/** The room of a user's devices. */
const room = (name: string) => `user ${name}`;

// Check who it is: see tokens.ts.
presence.use((socket, next) => {
  const name: unknown = socket.handshake.auth.name;
  if (typeof name !== "string" || name === "") return next(new Error("who are you?"));
  socket.data.name = name;
  next();
});

presence.on("connection", async (socket) => {
  // Not again when a socket that has slept is heard.
  if (!socket.replayed) await enter(socket);
});

async function enter(socket: Device): Promise<void> {
  const { name } = socket.data;
  const devices = await presence.in(room(name)).count();
  if (devices === 0) socket.broadcast.emit("here", name);
  socket.join(room(name));
  const everybody = await presence.fetchSockets();
  socket.emit("everybody", [...new Set(everybody.map(({ data }) => data.name))].sort());
}

// On all devices at once.
presence.handle("log out", (socket) => {
  presence.in(room(socket.data.name)).disconnectSockets();
});

// Whoever is here is asked for, and not counted up and down: no count survives sleep.
presence.handle("disconnect", async (socket) => {
  const { name } = socket.data;
  const devices = await presence.in(room(name)).count();
  if (devices === 0) presence.emit("gone", name);
});
