// The server: its namespaces, its options, and its ways into the Worker.

import { current } from "./context.js";
import { DormouseObject } from "./object.js";
import type { DefaultEventsMap, EventsMap } from "./events.js";
import { addServer } from "./host.js";
import { type Matches, Namespace, ParentNamespace } from "./namespace.js";
import { notOffered } from "./not-offered.js";
import { adminNamespace, readOptions, type ServerOptions, wrongInWasm } from "./options.js";
import type { Socket } from "./socket.js";
import { isDevelopment } from "./strict.js";
import { readUsage, type Usage } from "./usage.js";
import { call, check } from "./wasm.js";

type Fetch = (request: Request, env?: unknown, context?: unknown) => Promise<Response>;

/** The part of a Hono context that is needed. */
interface HonoContext {
  req: { raw: Request };
  env: unknown;
  executionCtx: unknown;
}

/**
 * A Socket.IO server.
 *
 * ```ts
 * import { Server } from "dormouse-io";
 *
 * const io = new Server();
 *
 * io.on("connection", (socket) => {
 *   socket.on("chat", (text) => socket.broadcast.emit("chat", text));
 * });
 *
 * export class Dormouse extends io.DurableObject {}
 * export default { fetch: io.fetch };
 * ```
 *
 * It is its own root namespace. What is registered has to be registered where the module is
 * evaluated, as the object is started anew after each sleep.
 *
 * @typeParam ListenEvents - the events that clients send
 * @typeParam EmitEvents - the events that clients are sent
 * @typeParam ServerSideEvents - the events between servers, of which there is one
 * @typeParam SocketData - what is kept of a socket
 */
export class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** @internal */
  readonly _options: ServerOptions;
  /** @internal */
  readonly _forWasm: Record<string, unknown>;
  /** @internal */
  readonly _path: string;
  /** @internal */
  readonly _isStrict: boolean;
  /** Namespaces that have names. @internal */
  readonly _named = new Map<string, Namespace<any, any, any, any>>();
  /** Those that regular expressions and functions stand for. @internal */
  readonly _parents: ParentNamespace<any, any, any, any>[] = [];

  /**
   * Creates a server.
   *
   * @throws if an option cannot be served: the message names it, and the remedy
   */
  constructor(options: ServerOptions<ListenEvents> = {}) {
    if (typeof options !== "object" || "listen" in options) notOffered("new Server(httpServer)");
    super(undefined, "/");
    this._options = options;
    this._forWasm = readOptions(options);
    this._path = `${(options.path ?? "/socket.io/").replace(/\/+$/, "")}/`;
    this._isStrict = options.strict ?? isDevelopment;
    const refused = check({ options: this._forWasm });
    if (refused) throw wrongInWasm(refused[0] ?? "", refused[1] ?? "");
    if (options.events) this.events(options.events);
    this._named.set("/", this);
    addServer(this);
  }

  /** The root namespace: the server itself. */
  override get sockets(): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    return this;
  }

  /**
   * Returns a namespace: that of a name, or those that a regular expression or a function
   * stands for. A listener is one of `connection`.
   */
  of(
    name: string | RegExp | Matches,
    listener?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    const namespace = typeof name === "string" ? this.#named(name) : this.#parent(name);
    if (listener) namespace.on("connection", listener as never);
    return namespace as Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  }

  #named(name: string): Namespace<any, any, any, any> {
    const path = name.startsWith("/") ? name : `/${name}`;
    if (/[,?{}]/.test(path)) {
      throw new Error(`dormouse-io: "${name}" cannot be the name of a namespace: it contains one of , ? { }`);
    }
    const known = this._named.get(path);
    if (known) return known;
    const namespace = new Namespace(this, path);
    if (this._isSealed) {
      // It can be addressed, and nothing be registered in it.
      namespace._isSealed = true;
      return namespace;
    }
    if (path === adminNamespace(this._options)) {
      throw new Error(`dormouse-io: "${path}" is the namespace of the option admin: give one of the two another name`);
    }
    this._named.set(path, namespace);
    return namespace;
  }

  #parent(name: RegExp | Matches): Namespace<any, any, any, any> {
    if (this._isSealed) {
      throw new Error("dormouse-io: call `io.of` with a regular expression or a function where the module is evaluated");
    }
    const matches: Matches = typeof name === "function" ? name : (it, _auth, next) => next(null, matchesWhole(name, it));
    const parent = new ParentNamespace(this, matches);
    this._parents.push(parent);
    return parent;
  }

  /**
   * Returns what the object in which this runs has done of what is billed, since it woke up.
   * `undefined` outside of objects, and where the option `usage` is not set.
   *
   * ```ts
   * io.on("usage", (answer) => answer(io.usage()));
   * // And from anywhere in the Worker: what each object says.
   * const all = await io.serverSideEmitWithAck("usage");
   * ```
   */
  usage(): Usage | undefined {
    const counted = call((wasm) => wasm.usage(current()?.here.number ?? 0));
    return counted === undefined ? undefined : readUsage(counted);
  }

  /**
   * Handles a request to the Worker: those on its path, and 404 for all others.
   *
   * ```ts
   * export default { fetch: io.fetch };
   * ```
   */
  readonly fetch: Fetch = async (request, env, context) => {
    return call((wasm) => wasm.fetch(request, env as never, context as never)) as Promise<Response>;
  };

  /**
   * Returns a handler for Hono: `app.all("/socket.io/*", io.hono())`.
   */
  hono(): (context: HonoContext) => Promise<Response> {
    return (context) => this.fetch(context.req.raw, context.env, context.executionCtx);
  }

  /**
   * The class of the server's Durable Objects, which has to be exported as `Dormouse`:
   * `export class Dormouse extends io.DurableObject {}`.
   */
  get DurableObject(): typeof DormouseObject {
    return DormouseObject;
  }

  /** Is not offered: it throws, and says what is. */
  get engine(): never {
    return notOffered("io.engine");
  }

  /** Is not offered: it throws, and says what is. */
  get httpServer(): never {
    return notOffered("io.httpServer");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  listen(..._args: unknown[]): never {
    return notOffered("io.listen");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  attach(..._args: unknown[]): never {
    return notOffered("io.attach");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  attachApp(..._args: unknown[]): never {
    return notOffered("io.attachApp");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  bind(..._args: unknown[]): never {
    return notOffered("io.bind");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  onconnection(..._args: unknown[]): never {
    return notOffered("io.onconnection");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  close(..._args: unknown[]): never {
    return notOffered("io.close");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  path(..._args: unknown[]): never {
    return notOffered("io.path");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  adapter(..._args: unknown[]): never {
    return notOffered("io.adapter");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  serveClient(..._args: unknown[]): never {
    return notOffered("io.serveClient");
  }

  /** @deprecated It is not offered: it throws, and says what is. */
  connectTimeout(..._args: unknown[]): never {
    return notOffered("io.connectTimeout");
  }
}

function matchesWhole(pattern: RegExp, name: string): boolean {
  // One with the flag `g` remembers where it was.
  pattern.lastIndex = 0;
  return pattern.test(name);
}
