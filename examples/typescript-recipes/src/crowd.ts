// A crowd that is too large for one object: a live stream, with reactions and the number of
// those who watch. The clients are in many objects, which are one server all the same.
//
// It is a Worker as a whole, with wrangler.crowd.jsonc: `dormouse-io/spread` has wasm of its
// own, and a Worker uses one entry or the other.

import { Server } from "dormouse-io/spread";

interface ClientToServer {
  watch: (stream: string, done: (refused?: { error: string }) => void) => void;
  react: (reaction: string, done: (refused?: { error: string }) => void) => void;
}

interface ServerToClient {
  reaction: (reaction: string) => void;
  viewers: (count: number) => void;
}

/** Between the objects. */
interface ServerToServer {
  count: (stream: string, done: (count: number) => void) => void;
}

const crowd = new Server<ClientToServer, ServerToClient, ServerToServer, { stream?: string }>({
  path: "/crowd/",
  // Each takes some thousand clients.
  placement: { objects: 8 },
});

/** The streams that there are. Names of a client's own would be rooms without end. */
const STREAMS = ["main stage", "tent"];

// Watches one stream instead of another.
crowd.handle("watch", (socket, stream, done) => {
  if (!STREAMS.includes(stream)) return { error: "there is no such stream" };
  if (socket.data.stream !== undefined) socket.leave(socket.data.stream);
  socket.data.stream = stream;
  socket.join(stream);
  done();
});

// Shows a reaction to everybody who watches the same, wherever they are.
crowd.handle("react", (socket, reaction, done) => {
  const { stream } = socket.data;
  if (stream === undefined) return { error: "watch something first" };
  if (typeof reaction !== "string" || reaction.length > 8) return { error: "a reaction is an emoji" };
  // If some objects do not get it, that is logged, and not worth another attempt.
  socket.to(stream).emit("reaction", reaction);
  done();
});

// Each object counts its own viewers: what crosses between objects are numbers, and not sockets.
crowd.on("count", async (stream, done) => {
  done(await crowd.local.in(stream).count());
});

/** Tells the viewers how many they are: once a minute, and not whenever one comes or goes. */
async function tellViewers(): Promise<void> {
  for (const stream of STREAMS) {
    const counts = await crowd.serverSideEmitWithAck("count", stream);
    const viewers = counts.reduce((sum, count) => sum + count, 0);
    await crowd.to(stream).emit("viewers", viewers);
  }
}

export class Dormouse extends crowd.DurableObject {}

export default {
  fetch: crowd.fetch,
  scheduled: tellViewers,
};
