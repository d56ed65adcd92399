// A socket: one client in one namespace.

import { BroadcastOperator, everybody, leftOut, list, type Selection } from "./broadcast.js";
import { isReplaying, report } from "./context.js";
import { Emitter } from "./emitter.js";
import type {
  AckValue,
  AllButLast,
  DefaultEventsMap,
  EventNames,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  Last,
  Sent,
  ToMany,
  WithTimeout,
} from "./events.js";
import { asInNode, type Handshake, NOTHING } from "./handshake.js";
import type { Here } from "./here.js";
import { checkName } from "./names.js";
import type { Namespace } from "./namespace.js";
import { notOffered } from "./not-offered.js";
import type { Server } from "./server.js";
import { sent } from "./sent.js";
import { decodeAnswer, encode } from "./values.js";
import { call } from "./wasm.js";

/** Why a socket is disconnected, in socket.io's words, and some of the server's own. */
export type DisconnectReason =
  | "transport error"
  | "transport close"
  | "forced close"
  | "ping timeout"
  | "parse error"
  | "server shutting down"
  | "forced server close"
  | "client namespace disconnect"
  | "server namespace disconnect"
  | (string & {});

/** The events of a socket that are the server's own. */
export interface SocketReservedEventsMap {
  disconnect: (reason: DisconnectReason, description?: any) => void;
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  error: (error: Error) => void;
}

/** An event on its way to its listeners: its name and its arguments. */
export type Event = [name: string, ...args: any[]];

type Check = (event: Event, next: (error?: Error) => void) => void;
type AnyListener = (event: string, ...args: any[]) => void;

/** What has been set for the next event alone. */
interface Flags {
  readonly timeout?: number;
  readonly volatile?: boolean;
}

const NONE: Flags = {};

/**
 * One client in one namespace.
 *
 * It lives for as long as its object is awake. After sleep there is another one for the same
 * client, on which the `connection` listeners are run again before anything else: what they
 * do through this package is left out then, and {@link replayed} is `true`. What is to be
 * known after sleep belongs into {@link data}.
 */
export class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Emitter<ListenEvents, SocketReservedEventsMap> {
  /** The namespace that the socket is in. */
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** Whether the client has come back in time: see the option `connectionStateRecovery`. */
  readonly recovered: boolean;
  /** Whether the `connection` listeners have been run again for it, after sleep. */
  readonly replayed: boolean;

  readonly #here: Here;
  readonly #number: number;
  #id: string | undefined;
  #handshake: Handshake | undefined;
  #flags = NONE;
  #checks: Check[] = [];
  #any: AnyListener[] = [];
  #anyOutgoing: AnyListener[] = [];
  #data: SocketData | undefined;
  /** The data as it is kept, once it has been asked for. */
  #kept: string | undefined;
  /** The value that listeners have got first. */
  #first: SocketData | undefined;
  #isGone = false;
  /** It has been told to disconnect. */
  #isLeaving = false;

  /** Resolves when all `connection` listeners are done; `undefined` if they are. @internal */
  _ready: Promise<void> | undefined;
  /** They are run again. @internal */
  _isReplaying = false;
  /** How many events are being handled. @internal */
  _pending = 0;
  /** Why a listener must not be registered now, if so. @internal */
  _forbids: ((event: string | symbol) => void) | undefined;

  /** The namespace whose listeners it has: that of a definition. @internal */
  readonly _source: Namespace<any, any, any, any>;

  /** @internal */
  constructor(
    nsp: Namespace<any, any, any, any>,
    source: Namespace<any, any, any, any>,
    here: Here,
    number: number,
    known: { id?: string; recovered?: boolean; replayed?: boolean },
  ) {
    super();
    this.nsp = nsp;
    this._source = source;
    this.#here = here;
    this.#number = number;
    this.#id = known.id;
    this.recovered = known.recovered ?? false;
    this.replayed = known.replayed ?? false;
  }

  /**
   * The socket's id, which is also the name of a room that it is in. It is not for other
   * clients: whoever knows that of a client of socket.io-client 2 or older can act for it.
   */
  get id(): string {
    this.#id ??= call((wasm) => wasm.identify(this.#here.number, this.#number))?.[0] ?? "";
    return this.#id;
  }

  /** The server. */
  get server(): Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
    return this.nsp.server;
  }

  /** Whether it is connected. */
  get connected(): boolean {
    return !this.#isGone && call((wasm) => wasm.isConnected(this.#here.number, this.#number));
  }

  /** Whether it is not connected. */
  get disconnected(): boolean {
    return !this.connected;
  }

  /** The request by which its client's session began. It survives sleep, but for long headers. */
  get handshake(): Handshake {
    if (!this.#handshake) {
      const known = call((wasm) => wasm.handshakeOf(this.#here.number, this.#number)) as Handshake | undefined;
      this.#handshake = asInNode(known ?? NOTHING);
    }
    return this.#handshake;
  }

  /** The rooms that it is in now, that of its own id included. Changing the set changes nothing. */
  get rooms(): Set<string> {
    if (this.#isGone) return new Set();
    return new Set(call((wasm) => wasm.roomsOf(this.#here.number, this.#number)));
  }

  /**
   * What the application keeps of the socket: anything that can be JSON, at most 1 MiB of it.
   * It survives sleep. It is saved, if it has changed, after each event, before that is
   * acknowledged, after the middlewares and the `connection` listeners, and before sockets are
   * fetched; what is changed at any other time is saved with the next event.
   */
  get data(): SocketData {
    if (this.#kept === undefined) {
      const kept = call((wasm) => wasm.dataOf(this.#here.number, this.#number));
      this.#kept = kept ?? "{}";
      this.#data = JSON.parse(this.#kept) as SocketData;
      this.#first = this.#data;
    }
    this.#here.touched.add(this);
    return this.#data as SocketData;
  }

  set data(data: SocketData) {
    // What was kept has to be known, to notice the change.
    void this.data;
    this.#data = data;
  }

  /** What is known of the connection: the name of its transport, `polling` or `websocket`. */
  get conn(): { readonly transport: { readonly name: string } } {
    const name = call((wasm) => wasm.transportOf(this.#here.number, this.#number)) ?? "websocket";
    const conn = { transport: { name } };
    for (const method of ["on", "once", "close"]) {
      Object.defineProperty(conn, method, { get: () => notOffered(`socket.conn.${method}`) });
    }
    return conn;
  }

  /** Is not offered: it throws, and says what is. */
  get request(): never {
    return notOffered("socket.request");
  }

  /** Is not offered: it throws, and says what is. */
  get client(): never {
    return notOffered("socket.client");
  }

  /**
   * Sends an event. A function as the last argument is called with the acknowledgement: with
   * an error first, or `null`, if {@link timeout} has set a time limit.
   */
  emit<Name extends EventNames<EmitEvents>>(event: Name, ...args: EventParams<EmitEvents, Name>): boolean {
    const name = checkName(event);
    const flags = this.#takeFlags();
    if (isReplaying()) return true;
    const values: unknown[] = args;
    const ack = values.at(-1);
    if (typeof ack === "function") {
      this.#ask(name, values.slice(0, -1), flags).then(
        (answer) => (flags.timeout === undefined ? ack(...answer) : ack(null, ...answer)),
        (error) => (flags.timeout === undefined ? undefined : ack(error)),
      );
      return true;
    }
    const { json, attachments } = encode(values);
    call((wasm) => wasm.emit(this.#here.number, this.#number, name, json, attachments, flags.volatile === true));
    return true;
  }

  /**
   * Sends an event, and resolves to the acknowledgement. It is rejected if there is none
   * within the option `ackTimeout`, or {@link timeout}, or the client goes.
   */
  async emitWithAck<Name extends EventNamesWithAck<EmitEvents>>(
    event: Name,
    ...args: AllButLast<EventParams<EmitEvents, Name>>
  ): Promise<AckValue<Last<EventParams<EmitEvents, Name>>>> {
    const [value] = await this.#ask(checkName(event), args, this.#takeFlags());
    return value as never;
  }

  async #ask(name: string, args: readonly unknown[], { timeout }: Flags): Promise<unknown[]> {
    if (isReplaying()) throw leftOut(name);
    const { json, attachments } = encode(args);
    const asked = call((wasm) => wasm.ask(this.#here.number, this.#number, name, json, attachments, timeout));
    return decodeAnswer((await asked) as string);
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
   * Enters a room, or several. There are at most `maxRooms`.
   *
   * @throws beyond that
   */
  join(rooms: string | string[]): Sent {
    return this.#move(rooms, true);
  }

  /** Leaves a room. */
  leave(room: string): Sent {
    return this.#move(room, false);
  }

  #move(rooms: string | string[], enter: boolean): Sent {
    if (isReplaying()) return true as unknown as Sent;
    const moved = call((wasm) => wasm.move(this.#here.number, this.#number, list(rooms), enter));
    return sent(enter ? "join" : "leave", moved);
  }

  /** Disconnects the socket, or, with `true`, its client from all namespaces. */
  disconnect(close = false): this {
    if (isReplaying()) return this;
    this.#isLeaving = true;
    call((wasm) => wasm.disconnect(this.#here.number, this.#number, close));
    return this;
  }

  /** Addresses the other sockets in a room, or in any of several. */
  to(room: string | string[]): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#others<ToMany<EmitEvents>>().to(room);
  }

  /** Does the same as {@link to}. */
  in(room: string | string[]): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.to(room);
  }

  /** Addresses the other sockets of the namespace, except those in a room, or in any of several. */
  except(room: string | string[]): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#others<ToMany<EmitEvents>>().except(room);
  }

  /** Addresses the other sockets of the namespace. */
  get broadcast(): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#others<ToMany<EmitEvents>>();
  }

  /** Addresses the other sockets of the namespace in the same object. */
  get local(): BroadcastOperator<ToMany<EmitEvents>, SocketData> {
    return this.#others<ToMany<EmitEvents>>().local;
  }

  #others<Events extends EventsMap>(): BroadcastOperator<Events, SocketData> {
    const { timeout, volatile } = this.#takeFlags();
    const selection: Selection = {
      ...everybody(this.nsp.server._path, this.nsp.name),
      here: this.#here,
      except: [this.id],
      limit: timeout,
      volatile: volatile === true,
    };
    return new BroadcastOperator<Events, SocketData>(selection);
  }

  /** Lets the next event get lost if the client is not ready to receive it at once. */
  get volatile(): this {
    this.#flags = { ...this.#flags, volatile: true };
    return this;
  }

  /** Changes nothing: the runtime compresses WebSockets, or does not, by a compatibility flag. */
  compress(_compress: boolean): this {
    return this;
  }

  /** Sets how long to wait for the acknowledgement of the next event, in milliseconds. */
  timeout(timeout: number): Socket<ListenEvents, WithTimeout<EmitEvents>, ServerSideEvents, SocketData> {
    this.#flags = { ...this.#flags, timeout };
    return this as never;
  }

  #takeFlags(): Flags {
    const flags = this.#flags;
    this.#flags = NONE;
    return flags;
  }

  /** Registers a check that events have to pass before their listeners. */
  use(check: (event: Event, next: (error?: Error) => void) => void): this {
    this._registering("use");
    this.#checks.push(check);
    return this;
  }

  /** Registers a listener of all events. */
  onAny(listener: (event: string, ...args: any[]) => void): this {
    this._registering("onAny");
    this.#any.push(listener);
    return this;
  }

  /** Registers a listener of all events that is called before the others. */
  prependAny(listener: (event: string, ...args: any[]) => void): this {
    this._registering("prependAny");
    this.#any.unshift(listener);
    return this;
  }

  /** Removes a listener of all events, or all of them. */
  offAny(listener?: (event: string, ...args: any[]) => void): this {
    this.#any = listener ? without(this.#any, listener) : [];
    return this;
  }

  /** Returns the listeners of all events. */
  listenersAny(): AnyListener[] {
    return [...this.#any];
  }

  /** Whether there are listeners of all events. @internal */
  get _hearsAny(): boolean {
    return this.#any.length > 0;
  }

  /** Registers a listener of all events that the socket is sent. It needs the option `anyOutgoing`. */
  onAnyOutgoing(listener: (event: string, ...args: any[]) => void): this {
    this.#observe("onAnyOutgoing");
    this.#anyOutgoing.push(listener);
    return this;
  }

  /** Registers one that is called before the others. */
  prependAnyOutgoing(listener: (event: string, ...args: any[]) => void): this {
    this.#observe("prependAnyOutgoing");
    this.#anyOutgoing.unshift(listener);
    return this;
  }

  /** Removes one, or all of them. */
  offAnyOutgoing(listener?: (event: string, ...args: any[]) => void): this {
    this.#anyOutgoing = listener ? without(this.#anyOutgoing, listener) : [];
    return this;
  }

  /** Returns the listeners of all events that the socket is sent. */
  listenersAnyOutgoing(): AnyListener[] {
    return [...this.#anyOutgoing];
  }

  #observe(method: string): void {
    this._registering(method);
    if (this.nsp.server._options.anyOutgoing) return;
    throw new Error(
      `dormouse-io: ${method} needs the option anyOutgoing: true, because JavaScript is called for each socket ` +
        "of a broadcast then",
    );
  }

  /** @internal */
  protected override _registering(event: string | symbol): void {
    this._forbids?.(event);
  }

  /** Saves its data, if that has changed. @internal */
  _save(): void {
    this.#here.touched.delete(this);
    if (this.#kept === undefined || this._isReplaying) return;
    try {
      const json = JSON.stringify(this.#data ?? {});
      if (json === this.#kept) return;
      call((wasm) => wasm.setData(this.#here.number, this.#number, json));
      this.#kept = json;
    } catch (error) {
      report("socket.data was not saved", error);
    }
  }

  /** Undoes what listeners that are run again have done to its data. @internal */
  _restore(): void {
    this._isReplaying = false;
    if (this.#kept === undefined) return;
    const kept = JSON.parse(this.#kept) as SocketData;
    const first = this.#first;
    if (Array.isArray(first) && Array.isArray(kept)) {
      first.splice(0, first.length, ...kept);
    } else if (isRecord(first) && isRecord(kept)) {
      for (const name of Object.keys(first)) delete first[name];
      Object.assign(first, kept);
    } else {
      this.#first = kept;
    }
    // Listeners may have it.
    this.#data = this.#first;
  }

  /** Whether nobody has to decide about it any more: it, or its client, is gone. @internal */
  get _isOver(): boolean {
    return this.#isLeaving || call((wasm) => wasm.transportOf(this.#here.number, this.#number)) === undefined;
  }

  /** Notes that it has gone: its rooms are left. @internal */
  _leave(): void {
    this.#isGone = true;
  }

  /** Acknowledges an event. @internal */
  _acknowledge(ack: number, values: readonly unknown[]): void {
    // Whoever hears that it is done may be cut off, and come back.
    this._save();
    const { json, attachments } = encode(values);
    call((wasm) => wasm.acknowledge(this.#here.number, this.#number, ack, json, attachments));
  }

  /** Has an event pass its checks. @internal */
  _check(event: Event, next: (error?: Error) => void): void {
    const checks = [...this.#checks];
    const step = (index: number): void => {
      const check = checks[index];
      if (!check) return next();
      check(event, (error) => (error ? next(error) : step(index + 1)));
    };
    step(0);
  }

  /** Whether events have to pass checks. @internal */
  get _checks(): boolean {
    return this.#checks.length > 0;
  }

  /** Tells the listeners of all events of one that the socket is sent. @internal */
  _tellOutgoing(event: Event): void {
    for (const listener of [...this.#anyOutgoing]) listener(...event);
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function without<T>(items: readonly T[], item: T): T[] {
  const place = items.indexOf(item);
  return place < 0 ? [...items] : items.toSpliced(place, 1);
}
