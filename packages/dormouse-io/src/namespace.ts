// Namespaces: what an application registers in them, and everybody who is in them.

import { BroadcastOperator, everybody, type RemoteSocket } from "./broadcast.js";
import { follows, isReplaying } from "./context.js";
import { type AnyListener, Emitter } from "./emitter.js";
import type {
  AckValue,
  AllButLast,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
  Last,
  Sent,
  ToMany,
  ToManyWithTimeout,
} from "./events.js";
import { notOffered } from "./not-offered.js";
import type { Schema, Schemas } from "./schema.js";
import type { Server } from "./server.js";
import type { DisconnectReason, Socket } from "./socket.js";

/** An error that refuses a client, with more than a message: its `data` is for the client. */
export interface ExtendedError extends Error {
  data?: any;
}

/** The events of a namespace that are the server's own. */
export interface NamespaceReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> {
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  new_namespace: (namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

type Middleware = (socket: Socket<any, any, any, any>, next: (error?: ExtendedError) => void) => unknown;

const RESERVED: readonly (string | symbol)[] = ["connect", "connection", "new_namespace"];

/** A namespace: its sockets have nothing to do with those of others. */
export class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Emitter<
  ServerSideEvents,
  NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  readonly name: string;
  /** @internal */
  readonly _middlewares: Middleware[] = [];
  /** @internal */
  readonly _handlers = new Map<string, AnyListener>();
  /** @internal */
  readonly _schemas = new Map<string, Schema>();
  /** What has been registered is what clients meet: for more, it is too late. @internal */
  _isSealed = false;
  readonly #server: Server<any, any, any, any> | undefined;

  /** @internal */
  constructor(server: Server<any, any, any, any> | undefined, name: string) {
    super();
    this.#server = server;
    this.name = name;
  }

  /** The server. */
  get server(): Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    return (this.#server ?? this) as Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  }

  /** Is not offered: it throws, and says what is. */
  get sockets(): unknown {
    return notOffered("namespace.sockets");
  }

  /**
   * Registers a check that clients have to pass before they are connected. It calls `next()`,
   * or `next(error)` to refuse the client. It is not run again after sleep.
   */
  use(
    middleware: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      next: (error?: ExtendedError) => void,
    ) => unknown,
  ): this {
    this.#checkSeal("use");
    this._middlewares.push(middleware);
    return this;
  }

  /**
   * Registers the handler of an event of all sockets of the namespace. It is not lost in
   * sleep, so a namespace with such handlers and no `connection` listeners has nothing to run
   * again. What it returns is the acknowledgement, unless that is `undefined`.
   *
   * ```ts
   * io.of("/game").handle("move", (socket, x: number, y: number) => {
   *   socket.broadcast.emit("moved", socket.data.name, x, y);
   * });
   * ```
   *
   * `disconnect` and `disconnecting` can be handled, too.
   */
  handle(
    event: "disconnect" | "disconnecting",
    handler: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      reason: DisconnectReason,
    ) => unknown,
  ): this;
  handle<Name extends EventNames<ListenEvents>>(
    event: Name,
    handler: (
      socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      ...args: EventParams<ListenEvents, Name>
    ) => unknown,
  ): this;
  handle(event: string | symbol, handler: AnyListener): this {
    this.#checkSeal("handle");
    const name = String(event);
    if (this._handlers.has(name)) throw new Error(`dormouse-io: "${name}" has a handler already; make one of them`);
    this._handlers.set(name, handler);
    return this;
  }

  /**
   * Sets what the arguments of events have to be, as a Standard Schema of a tuple for each:
   * `namespace.events({ chat: z.tuple([z.string()]) })`. An event with others is acknowledged
   * with `{ error }` and reaches no listener.
   */
  events(schemas: Schemas<ListenEvents>): this {
    for (const [name, schema] of Object.entries(schemas)) {
      if (typeof schema?.["~standard"]?.validate !== "function") {
        throw new Error(`dormouse-io: events.${name} is not a Standard Schema`);
      }
      this._schemas.set(name, schema);
    }
    return this;
  }

  /** Addresses the sockets in a room, or in any of several. */
  to(room: string | string[]): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#all<ToMany<EmitEvents>>().to(room);
  }

  /** Does the same as {@link to}. */
  in(room: string | string[]): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.to(room);
  }

  /** Addresses all sockets, except those in a room, or in any of several. */
  except(room: string | string[]): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#all<ToMany<EmitEvents>>().except(room);
  }

  /** Selects the object with the sockets that are placed by this key: see the option `placement`. */
  key(key: string): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#all<ToMany<EmitEvents>>().key(key);
  }

  /** Changes nothing: the runtime compresses WebSockets, or does not, by a compatibility flag. */
  compress(compress: boolean): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#all<ToMany<EmitEvents>>().compress(compress);
  }

  /** Lets events get lost if a client is not ready to receive them at once. */
  get volatile(): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#all<ToMany<EmitEvents>>().volatile;
  }

  /** Restricts it to the sockets of one object. */
  get local(): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#all<ToMany<EmitEvents>>().local;
  }

  /** Sets how long to wait for acknowledgements, in milliseconds. */
  timeout(timeout: number): BroadcastOperator<ToManyWithTimeout<EmitEvents>, SocketData> {
    return this.#all<ToManyWithTimeout<EmitEvents>>().timeout(timeout) as never;
  }

  /** Sends an event to all sockets: see {@link BroadcastOperator.emit}. */
  emit<Name extends EventNamesWithoutAck<EmitEvents>>(event: Name, ...args: EventParams<EmitEvents, Name>): Sent {
    return this.#all<EmitEvents>().emit(event, ...args);
  }

  /** Sends the event `message`. */
  send(...args: EventParams<EmitEvents, "message">): this {
    this.emit("message" as never, ...(args as never));
    return this;
  }

  /** Does the same as {@link send}. */
  write(...args: EventParams<EmitEvents, "message">): this {
    return this.send(...args);
  }

  /**
   * Sends an event to the other objects of the server, where it is heard by the listeners of
   * `io.on(event)`: from elsewhere in the Worker to the one that holds all sockets, and from a
   * handler to nobody. A function as the last argument is called with an
   * error, or `null`, and the list of answers.
   */
  serverSideEmit<Name extends EventNames<ServerSideEvents>>(
    event: Name,
    ...args: EventParams<ToManyWithTimeout<ServerSideEvents>, Name>
  ): Sent {
    const name = checkServerEvent(event);
    if (isReplaying()) return true as unknown as Sent;
    const values: unknown[] = args;
    const ack = values.at(-1);
    if (typeof ack === "function") {
      this.#all().askObjects(name, values.slice(0, -1)).then(
        (answers) => ack(null, answers),
        (error: { responses?: unknown }) => ack(error, error.responses),
      );
      return true as unknown as Sent;
    }
    return this.#all().emitToObjects(name, values);
  }

  /** Does the same, and resolves to the answers. */
  async serverSideEmitWithAck<Name extends EventNamesWithAck<ServerSideEvents>>(
    event: Name,
    ...args: AllButLast<EventParams<ServerSideEvents, Name>>
  ): Promise<AckValue<Last<EventParams<ServerSideEvents, Name>>>[]> {
    return (await this.#all().askObjects(checkServerEvent(event), args)) as never;
  }

  /** Resolves to the sockets, as they are now. */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]> {
    return this.#all<EmitEvents>().fetchSockets();
  }

  /** Resolves to the number of the sockets: see {@link BroadcastOperator.count}. */
  count(): Promise<number> {
    return this.#all<EmitEvents>().count();
  }

  /** Resolves to the sockets' ids. */
  allSockets(): Promise<Set<string>> {
    return this.#all<EmitEvents>().allSockets();
  }

  /** Makes all sockets enter a room, or several. */
  socketsJoin(room: string | string[]): Sent {
    return this.#all<EmitEvents>().socketsJoin(room);
  }

  /** Makes all sockets leave a room, or several. */
  socketsLeave(room: string | string[]): Sent {
    return this.#all<EmitEvents>().socketsLeave(room);
  }

  /** Disconnects all sockets from the namespace, or, with `true`, their clients from all. */
  disconnectSockets(close = false): Sent {
    return this.#all<EmitEvents>().disconnectSockets(close);
  }

  #all<Events extends EventsMap>(): BroadcastOperator<Events, SocketData> {
    if (!this.name.startsWith("/")) {
      throw new Error(
        "dormouse-io: namespaces that a regular expression or a function stands for cannot be addressed together; " +
          "use `io.of(name)` for each",
      );
    }
    return new BroadcastOperator<Events, SocketData>(everybody(this.server._path, this.name));
  }

  /** The events of other objects that it has listeners of. @internal */
  get _hears(): string[] {
    return this.eventNames().filter((name) => !RESERVED.includes(name)).map(String);
  }

  /** @internal */
  protected override _registering(event: string | symbol): void {
    this.#checkSeal(`on("${String(event)}")`);
    if (!RESERVED.includes(event)) return;
    if (event === "new_namespace" || this.server._options.replay === false || follows) return;
    throw new Error(
      "dormouse-io: `connection` listeners are run again after sleep, and that needs AsyncLocalStorage: add " +
        "`nodejs_als` (or `nodejs_compat`) to `compatibility_flags` in wrangler's configuration, or set the option " +
        "`replay: false` and use `handle`",
    );
  }

  #checkSeal(method: string): void {
    if (!this._isSealed) return;
    throw new Error(
      `dormouse-io: ${method} in the namespace "${this.name}" comes too late: call it where the module is evaluated, ` +
        "so that it is there after sleep, too. Namespaces whose names are not known yet are defined by a regular " +
        "expression or a function: io.of(/^\\/room-\\d+$/)",
    );
  }
}

function checkServerEvent(event: string | symbol): string {
  if (RESERVED.includes(event)) throw new Error(`"${String(event)}" is a reserved event name`);
  return String(event);
}

/** The namespaces that a regular expression or a function stands for. */
export class ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  readonly #children = new Map<string, WeakRef<Namespace<any, any, any, any>>>();

  /** @internal */
  constructor(
    server: Server<any, any, any, any>,
    readonly _matches: Matches,
  ) {
    super(server, "");
  }

  /** Returns one of the namespaces. @internal */
  _child(name: string): Namespace<any, any, any, any> {
    const known = this.#children.get(name)?.deref();
    if (known) return known;
    const child = new Namespace(this.server, name);
    child._isSealed = true;
    if (this.#children.size >= FORGET_AT) {
      for (const [other, child] of this.#children) if (!child.deref()) this.#children.delete(other);
    }
    this.#children.set(name, new WeakRef(child));
    return child;
  }
}

/** The number of children from which those that nobody has any more are looked for. */
const FORGET_AT = 1_000;

/** Decides whether there is a namespace of this name: it calls `next(null, true)` if there is. */
export type Matches = (
  name: string,
  auth: { [key: string]: any },
  next: (error: Error | null, exists: boolean) => void,
) => unknown;
