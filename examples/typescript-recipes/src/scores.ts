// A table of scores in D1, which all see change. What has to outlast the object, or is asked
// for elsewhere as well, belongs into a database.

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      SCORES: D1Database;
    }
  }
}

interface Score {
  player: string;
  points: number;
}

interface ClientToServer {
  score: (player: string, points: number, done: (refused?: { error: string }) => void) => void;
}

interface ServerToClient {
  best: (scores: Score[]) => void;
}

export const scores = new Server<ClientToServer, ServerToClient>({ path: "/scores/" });

/** The best, of whom clients are told. */
const BEST = 10;

scores.on("connection", async (socket) => {
  // The database is not asked again when a socket that has slept is heard.
  if (!socket.replayed) socket.emit("best", await best());
});

// Keeps a player's best. While D1 answers, other events are handled; so it is D1 that
// compares, and not code between two of its answers.
scores.handle("score", async (_socket, player, points, done) => {
  if (typeof player !== "string" || player === "" || player.length > 40) {
    return { error: "a name has 1 to 40 characters" };
  }
  if (!Number.isSafeInteger(points)) return { error: "points are a number" };
  const insert = `INSERT INTO scores (player, points) VALUES (?1, ?2) ON CONFLICT (player)
    DO UPDATE SET points = ?2 WHERE points < ?2 RETURNING *`;
  const changed = await env.SCORES.prepare(insert).bind(player, points).first();
  if (changed) scores.emit("best", await best());
  done();
});

async function best(): Promise<Score[]> {
  const select = "SELECT player, points FROM scores ORDER BY points DESC, player LIMIT ?";
  return (await env.SCORES.prepare(select).bind(BEST).all<Score>()).results;
}
