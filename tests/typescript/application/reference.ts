// The application of the reference server, which is written for npm's socket.io, with
// nothing changed: see tests/harness/reference/socket-servers.mjs.

import { Server, type ServerOptions } from "dormouse-io";
// @ts-expect-error It is JavaScript.
import { attachSocketApplication, list } from "../../harness/reference/socket-application.mjs";

const recovery = { connectionStateRecovery: { maxDisconnectionDuration: 120_000 } };
const endpoints: Record<string, ServerOptions> = {
  "/io/": { maxNamespaces: 20, maxRooms: 50 },
  "/recovery/": recovery,
  "/msgpack/": { parser: "msgpack" },
};

const logs = { write: (line: string) => console.log(line) };
const servers = new Map<string, Server>();
for (const [path, options] of Object.entries(endpoints)) {
  const io = new Server({ ...options, path, log: "info" });
  attachSocketApplication(io, logs, { recovers: "connectionStateRecovery" in options });
  servers.set(path, io);
}
const [io] = servers.values() as Iterable<Server> as [Server];

export class Dormouse extends io.DurableObject {}

export default {
  async fetch(request: Request, env: unknown, context: unknown): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/io-route/")) return io.fetch(request, env, context);
    const target = servers
      .get(searchParams.get("path") ?? "")!
      .of(searchParams.get("namespace") ?? "/")
      .to(searchParams.getAll("to"))
      .except(searchParams.getAll("except"));
    if (pathname === "/io-route/fetch") return Response.json(list(await target.fetchSockets()));
    await target.emit(searchParams.get("event") ?? "", ...((await request.json()) as unknown[]));
    return new Response("ok");
  },
};
