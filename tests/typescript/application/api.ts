// What there is of socket.io's server, each behind an event of its own name.

import { Server, type Socket } from "dormouse-io";
import { z } from "zod";

type Ack = (...values: unknown[]) => void;
type Any = (...args: any[]) => void;
type Events = { [event: string]: Any };

export const io = new Server<Events, Events, Events, Record<string, any>>({
  cors: { origin: ["https://app.example"], credentials: true },
  anyOutgoing: true,
  connectionStateRecovery: { maxDisconnectionDuration: 60_000 },
  cookie: "sid",
  allowRequest: (request, next) => next("not today", request.query.deny === undefined),
  events: {
    sum: z.tuple([z.number(), z.number()]),
    trim: z.tuple([z.string().trim().min(1)]),
    late: z.tuple([z.string().refine(async (it) => it === "good", "is not good")]),
  },
});

/** What clients can ask for, by events. */
function serve(socket: Socket<Events, Events, Events, Record<string, any>>): void {
  const log: unknown[] = [];

  socket.on("sum", (a: number, b: number, ack: Ack) => ack(a + b));
  socket.on("trim", (text: string, ack: Ack) => ack(text));
  socket.on("late", (text: string, ack: Ack) => ack(text));

  socket.on("describe", (ack: Ack) => {
    const { id, nsp, handshake, recovered, replayed, connected, disconnected } = socket;
    const { auth, query, url, headers } = handshake;
    const transport = socket.conn.transport.name;
    ack({ id, nsp: nsp.name, auth, q: query.q, url, agent: typeof headers["user-agent"], recovered, replayed, connected, disconnected, transport });
  });

  socket.on("rooms", async (room: string, ack: Ack) => {
    socket.join([room, "another"]);
    socket.leave("another");
    ack([...socket.rooms].filter((it) => it !== socket.id));
  });

  socket.on("callback", (ack: Ack) => socket.emit("double", 21, (value: number) => ack(value)));
  socket.on("timed", (ack: Ack) => {
    socket.timeout(50).emit("silence", (error: Error | null) => ack(error?.message));
  });
  socket.on("timed well", (ack: Ack) => socket.timeout(5000).emit("double", 4, (error: Error | null, value: number) => ack(error, value)));
  socket.on("asked", async (ack: Ack) => ack(await socket.emitWithAck("double", 8), await socket.timeout(5000).emitWithAck("double", 9)));
  socket.on("silence", async (ack: Ack) => {
    ack(await socket.timeout(50).emitWithAck("silence").catch((error: Error) => error.message));
  });

  socket.on("flags", (ack: Ack) => {
    socket.volatile.emit("heard", "volatile");
    socket.compress(true).emit("heard", "compressed");
    socket.send("sent").write("written");
    ack();
  });

  socket.on("everybody", async (room: string, ack: Ack) => {
    const all = await io.in(room).timeout(5000).emitWithAck("double", 2);
    const late = await io.in(room).timeout(100).emitWithAck("maybe").catch((error: { message: string; responses: unknown[] }) => [error.message, error.responses]);
    const [ids, fetched] = [await io.in(room).allSockets(), await io.in(room).fetchSockets()];
    ack(all, late, ids.size, await io.in(room).count(), fetched.map((it) => [it.rooms.has(room), it.data.name, it.handshake.auth.name]).sort());
  });
  socket.on("others", async (room: string, ack: Ack) => {
    socket.to(room).emit("heard", "to");
    socket.in(room).except("quiet").emit("heard", "except");
    socket.broadcast.to(room).emit("heard", "broadcast");
    socket.local.to(room).volatile.compress(false).emit("heard", "local");
    io.to(room).emit("heard", "all");
    io.except(room).emit("heard", "nobody of them");
    ack();
  });
  socket.on("moved", async (from: string, to: string, ack: Ack) => {
    io.in(from).socketsJoin(to);
    io.in(from).socketsLeave(from);
    ack((await io.in(to).fetchSockets()).length, await io.in(from).count());
  });
  socket.on("count", async (room: string, ack: Ack) => {
    const others = await socket.to(room).count();
    ack(others, (await io.count()) - (await io.except(room).count()), await io.of("/handled").count());
  });
  socket.on("remote", async (id: string, ack: Ack) => {
    const [remote] = await io.in(id).fetchSockets();
    remote?.emit("heard", "remote");
    remote?.join("remote room");
    ack(await remote?.timeout(5000).emitWithAck("double", 50), (await io.in("remote room").fetchSockets()).length);
  });
  socket.on("thrown out", (id: string, close: boolean, ack: Ack) => {
    io.in(id).disconnectSockets(close);
    ack();
  });
  socket.on("leave me", (close: boolean) => void socket.disconnect(close));

  socket.on("data", (name: string, value: unknown, ack: Ack) => {
    if (value === null) delete socket.data[name];
    else socket.data[name] = value;
    ack(socket.data);
  });
  socket.on("data anew", (data: Record<string, any>, ack: Ack) => {
    socket.data = data;
    ack(socket.data);
  });
  socket.on("too much data", (ack: Ack) => {
    socket.data.much = "x".repeat(2 << 20);
    ack();
  });

  socket.onAny((event: string) => log.push(`any ${event}`));
  socket.prependAny((event: string) => log.push(`first ${event}`));
  socket.onAnyOutgoing((event: string, ...args: unknown[]) => {
    if (event === "heard") log.push(`out ${event} ${args}`);
  });
  socket.use(([event, ...args], next) => {
    if (event === "forbidden") return next(new Error("forbidden"));
    if (event === "slow") return void Promise.resolve().then(() => next());
    if (event === "rewritten") args.length = 0;
    next();
  });
  socket.on("error", (error: Error) => socket.emit("heard", `error ${error.message}`));
  socket.on("slow", (ack: Ack) => ack("slow"));
  socket.on("log", (ack: Ack) => {
    socket.emit("heard", "logged");
    ack(log);
  });
  socket.once("once", (ack: Ack) => {
    ack("first");
    socket.on("once", (ack: Ack) => ack("then"));
  });
  const removed = (ack: Ack): void => ack("removed");
  socket.on("removed", removed);
  socket.on("removed", (ack: Ack) => ack("left"));
  socket.off("removed", removed);

  socket.on("throw", () => {
    throw new Error("a listener's");
  });
  socket.on("throw later", async () => {
    await Promise.resolve();
    throw new Error("a listener's");
  });
  socket.on("overflow", () => {
    const deeper = (): void => {
      socket.emit("nobody hears it");
      deeper();
    };
    deeper();
  });
  // What a panic leaves behind, without the panic: there is none to be had from here.
  socket.on("end", (ack: Ack) => {
    const state = (globalThis as any).__worker_init_state;
    setTimeout(() => (state.criticalError = true), 0);
    ack(state.instanceId);
  });
  socket.on("not offered", (ack: Ack) => {
    const attempts: (() => unknown)[] = [
      () => io.listen(3000),
      () => io.of("/other").sockets,
      () => io.engine,
      () => socket.request,
      () => (socket.conn as any).on("upgrade"),
      () => io.on("connection", () => {}),
      () => io.of("/too late").use(() => {}),
      () => socket.emit("disconnect"),
      () => socket.emit(undefined as any),
    ];
    ack(attempts.map((attempt) => {
      try {
        return `nothing: ${attempt()}`;
      } catch (error) {
        return (error as Error).message;
      }
    }));
  });
}

io.on("connection", (socket) => {
  serve(socket);
  socket.data.name ??= socket.handshake.auth.name;
  socket.on("disconnecting", (reason: string) => io.to("witness").emit("heard", `disconnecting ${reason} ${socket.rooms.size > 0}`));
  socket.on("disconnect", (reason: string) => io.to("witness").emit("heard", `disconnect ${reason} ${socket.rooms.size}`));
});

const opened: string[] = [];
io.on("new_namespace", (namespace) => opened.push(namespace.name));

io.of(/^\/room-\d+$/).on("connection", (socket) => {
  socket.on("describe", (ack: Ack) => ack(socket.nsp.name));
  socket.on("all", (ack: Ack) => {
    socket.nsp.emit("heard", `all of ${socket.nsp.name}`);
    ack();
  });
});
io.of((name, auth, next) => next(null, name === `/of-${auth.name}`)).handle("describe", (socket) => socket.nsp.name);

io.of("/leaving")
  .use((socket, next) => {
    socket.disconnect();
    next();
  })
  .use((_socket, next) => {
    io.to("witness").emit("heard", "nobody asks it");
    next();
  });

io.of("/handled")
  .use(async (socket, next) => {
    await Promise.resolve();
    socket.data.checked = true;
    next();
  })
  .handle("value", (_socket, a: number) => a + 1)
  .handle("later", async (_socket, a: number) => {
    await Promise.resolve();
    return a + 2;
  })
  .handle("itself", (_socket, ack: Ack) => ack("itself"))
  .handle("checked", (socket) => socket.data.checked)
  .handle("throw", () => {
    throw new Error("a handler's");
  })
  .handle("disconnect", (socket, reason) => void io.to("witness").emit("heard", `handled ${reason} ${socket.nsp.name}`));

export class Dormouse extends io.DurableObject {}
export default {
  async fetch(request: Request, env: unknown, context: unknown): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/count") return io.fetch(request, env, context);
    return Response.json(await io.in(searchParams.getAll("room")).count());
  },
};
