// What does not come from a client: a cron trigger tells everybody, and a queue tells those
// who have subscribed to a topic. Both reach sockets that sleep.

import { env } from "cloudflare:workers";
import { Server } from "dormouse-io";

declare global {
  namespace Cloudflare {
    interface Env {
      NOTICES: Queue<Notice>;
    }
  }
}

/**
 * A message of the queue. Whoever has a binding to it can send one, a back end by the
 * platform's API too.
 */
interface Notice {
  topic: string;
  text: string;
}

interface ClientToServer {
  subscribe: (topic: string, done: (refused?: { error: string }) => void) => void;
  publish: (notice: Notice, done: (refused?: { error: string }) => void) => void;
}

interface ServerToClient {
  notice: (text: string) => void;
  /** The time, and how many are told. */
  time: (milliseconds: number, count: number) => void;
}

export const notices = new Server<ClientToServer, ServerToClient>({ path: "/notices/" });

notices.handle("subscribe", (socket, topic, done) => {
  if (typeof topic !== "string") return { error: "a topic is a text" };
  socket.join(topic);
  done();
});

// Sends a notice through the queue, which has it once this is acknowledged. Check who may.
notices.handle("publish", async (_socket, notice, done) => {
  if (!isNotice(notice)) return { error: "a notice has a topic and a text" };
  await env.NOTICES.send(notice);
  done();
});

/** Tells those who have subscribed: for the queue. A notice that could not be told comes again. */
export async function tell(batch: MessageBatch): Promise<void> {
  for (const message of batch.messages) {
    if (!isNotice(message.body)) {
      // It would not be one the next time either.
      console.error("this is not a notice:", message.body);
      continue;
    }
    try {
      const { topic, text } = message.body;
      await notices.to(topic).emit("notice", text);
    } catch (error) {
      console.error("a notice comes again:", error);
      message.retry();
    }
  }
}

/** Tells everybody the time, and how many they are: for a cron trigger. */
export async function tellTime({ scheduledTime }: ScheduledController): Promise<void> {
  await notices.emit("time", scheduledTime, await notices.count());
}

function isNotice(value: unknown): value is Notice {
  const { topic, text } = (value ?? {}) as Partial<Notice>;
  return typeof topic === "string" && typeof text === "string";
}
