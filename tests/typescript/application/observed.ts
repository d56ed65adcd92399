// An application that is traced, with a logger that others observe.

import { channel } from "node:diagnostics_channel";
import { env } from "cloudflare:workers";
import { type LogRecord, Server, type Usage } from "dormouse-io";

interface ClientToServer {
  count: (ack: (usage?: Usage) => void) => void;
  wait: (ack: (value: string) => void) => void;
  fail: (ack: () => void) => void;
}

const log = channel("dormouse:log");

function logger(record: LogRecord): void {
  log.publish(record);
  const { ANALYTICS } = env as unknown as { ANALYTICS: { writeDataPoint: (point: object) => void } };
  ANALYTICS.writeDataPoint({ blobs: [record.event, record.level, record.server], indexes: [record.object ?? record.server] });
  if (record.event === "join") throw new Error("from the logger, as asked for");
}

async function usage(counted: Usage): Promise<void> {
  await io.of("/usage").volatile.emit("usage", counted);
  if (counted.wokenBy.message > 0) throw new Error("from the function that counts, as asked for");
}

export const io = new Server<ClientToServer, { usage: (counted: Usage) => void }, { usage: (answer: (usage?: Usage) => void) => void }>({
  log: "info",
  logger,
  tracing: true,
  usage,
});

io.on("usage", (answer) => answer(io.usage()));
io.of("/usage").handle("count", () => io.usage());

io.of("/seen").on("connection", (socket) => {
  socket.on("wait", async (ack) => {
    await scheduler.wait(20);
    // Nobody listens there.
    await fetch("http://127.0.0.1:9/").catch(() => undefined);
    ack("waited");
  });
  socket.on("fail", () => {
    throw new Error("as asked for");
  });
});

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request: Request, env: unknown, context: unknown): Promise<Response> {
    if (new URL(request.url).pathname !== "/usage") return io.fetch(request, env, context);
    return Response.json([io.usage() ?? null, await io.serverSideEmitWithAck("usage")]);
  },
};
