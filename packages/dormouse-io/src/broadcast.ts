// Many sockets at once, and sockets as they were when they were fetched.

import { current, isReplaying } from "./context.js";
import type {
  AckValue,
  AllButLast,
  EventNames,
  EventNamesWithError,
  EventParams,
  EventsMap,
  Last,
  Sent,
  WithTimeout,
} from "./events.js";
import type { Here } from "./here.js";
import { sent } from "./sent.js";
import { asInNode, type Handshake } from "./handshake.js";
import { checkName } from "./names.js";
import { decodeAnswer, encode } from "./values.js";
import { call } from "./wasm.js";

/** The sockets that something is for, as wasm reads them. @internal */
export interface Selection {
  path: string;
  namespace: string;
  rooms: string[];
  except: string[];
  local: boolean;
  volatile: boolean;
  limit: number | undefined;
  key: string | undefined;
  /** The object that the sockets are certainly in. */
  here: Here | undefined;
  /** It is one socket, and its answer is no list. */
  single: boolean;
}

/** Everybody in a namespace. @internal */
export function everybody(path: string, namespace: string): Selection {
  return {
    path,
    namespace,
    rooms: [],
    except: [],
    local: false,
    volatile: false,
    limit: undefined,
    key: undefined,
    here: undefined,
    single: false,
  };
}

/** Returns a room or a list of rooms as a list. @internal */
export function list(rooms: string | string[]): string[] {
  return Array.isArray(rooms) ? rooms : [rooms];
}

/**
 * Some sockets of a namespace, and the operations on them. Its methods can be combined, and
 * each returns another one: `io.to("a").to("b").except("c").emit("news")`.
 *
 * In a handler, operations are carried out in the object that the handler runs in, and are
 * done when they return. Elsewhere in the Worker (`fetch`, queues, cron triggers) they are
 * requests to the object: they can be awaited.
 */
export class BroadcastOperator<EmitEvents extends EventsMap, SocketData> {
  readonly #selection: Selection;

  /** @internal */
  constructor(selection: Selection) {
    this.#selection = selection;
  }

  #with<Events extends EventsMap = EmitEvents>(change: Partial<Selection>): BroadcastOperator<Events, SocketData> {
    return new BroadcastOperator<Events, SocketData>({ ...this.#selection, ...change });
  }

  /** Adds the sockets in a room, or in any of several. */
  to(room: string | string[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.#with({ rooms: [...this.#selection.rooms, ...list(room)] });
  }

  /** Does the same as {@link to}. */
  in(room: string | string[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.to(room);
  }

  /** Leaves out the sockets in a room, or in any of several. */
  except(room: string | string[]): BroadcastOperator<EmitEvents, SocketData> {
    return this.#with({ except: [...this.#selection.except, ...list(room)] });
  }

  /** Changes nothing: the runtime compresses WebSockets, or does not, by a compatibility flag. */
  compress(_compress: boolean): BroadcastOperator<EmitEvents, SocketData> {
    return this.#with({});
  }

  /** Lets events get lost if a client is not ready to receive them at once. */
  get volatile(): BroadcastOperator<EmitEvents, SocketData> {
    return this.#with({ volatile: true });
  }

  /** Restricts it to the sockets of one object. */
  get local(): BroadcastOperator<EmitEvents, SocketData> {
    return this.#with({ local: true });
  }

  /**
   * Sets how long to wait for acknowledgements, in milliseconds. Default: the option
   * `ackTimeout`.
   */
  timeout(timeout: number): BroadcastOperator<WithTimeout<EmitEvents>, SocketData> {
    return this.#with<WithTimeout<EmitEvents>>({ limit: timeout });
  }

  /**
   * Selects the object with the sockets that are placed by this key, from elsewhere in the
   * Worker: see the option `placement`. In a handler, it is the handler's own object.
   */
  key(key: string): BroadcastOperator<EmitEvents, SocketData> {
    return this.#with({ key });
  }

  /**
   * Sends an event to all of them. A function as the last argument is called with an error,
   * or `null`, and the list of what they have answered.
   */
  emit<Name extends EventNames<EmitEvents>>(event: Name, ...args: EventParams<EmitEvents, Name>): Sent {
    const name = checkName(event);
    if (isReplaying()) return true as unknown as Sent;
    const values: unknown[] = args;
    const ack = values.at(-1);
    if (typeof ack === "function") {
      const answers = this.#ask(name, values.slice(0, -1));
      answers.then(
        (all) => ack(null, all),
        (error: { responses?: unknown }) => ack(error, error.responses),
      );
      return true as unknown as Sent;
    }
    const { json, attachments } = encode(values);
    return sent(`emit "${name}"`, call((wasm) => wasm.emitMany(this.#read() as never, name, json, attachments)));
  }

  /**
   * Sends an event, and resolves to what all of them have answered. It is rejected if any
   * of them does not answer in time: the error's `responses` are the others' answers.
   */
  emitWithAck<Name extends EventNamesWithError<EmitEvents>>(
    event: Name,
    ...args: AllButLast<EventParams<EmitEvents, Name>>
  ): Promise<AckValue<Last<EventParams<EmitEvents, Name>>>> {
    return this.#ask(checkName(event), args) as Promise<never>;
  }

  async #ask(name: string, args: readonly unknown[]): Promise<unknown> {
    if (isReplaying()) throw leftOut(name);
    const { json, attachments } = encode(args);
    const asked = call((wasm) => wasm.askMany(this.#read() as never, name, json, attachments));
    const values = readAnswers(await asked);
    return this.#selection.single ? values[0] : values;
  }

  /**
   * Resolves to the sockets, as they are now. Where some of many objects have not answered, it
   * is those of the others, and the array has a property `missing`: how many objects, or -1
   * where nobody knows.
   */
  async fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]> {
    current()?.here.save();
    const json = (await call((wasm) => wasm.fetchMany(this.#read() as never))) as string;
    const { sockets, missing } = JSON.parse(json) as { sockets: Fetched[]; missing: number };
    const all = sockets.map((fetched) => new RemoteSocket<EmitEvents, SocketData>(this.#selection, fetched));
    return missing === 0 ? all : Object.assign(all, { missing });
  }

  /**
   * Resolves to the number of the sockets, which costs less than fetching them: nothing is read
   * of any socket but its rooms. Where some of many objects have not answered, it is rejected,
   * and the error has a property `missing`, as the array of {@link fetchSockets}.
   */
  async count(): Promise<number> {
    return (await call((wasm) => wasm.countMany(this.#read() as never))) as number;
  }

  /** Resolves to the sockets' ids. */
  async allSockets(): Promise<Set<string>> {
    return new Set((await this.fetchSockets()).map((socket) => socket.id));
  }

  /** Makes them enter a room, or several. */
  socketsJoin(room: string | string[]): Sent {
    return this.#move(room, true);
  }

  /** Makes them leave a room, or several. */
  socketsLeave(room: string | string[]): Sent {
    return this.#move(room, false);
  }

  /** Disconnects them from the namespace, or, with `true`, their clients from all. */
  disconnectSockets(close = false): Sent {
    if (isReplaying()) return true as unknown as Sent;
    return sent("disconnectSockets", call((wasm) => wasm.disconnectMany(this.#read() as never, close)));
  }

  /** Sends an event to the other objects. @internal */
  emitToObjects(name: string, args: readonly unknown[]): Sent {
    const { json, attachments } = encode(args);
    const what = `serverSideEmit "${name}"`;
    return sent(what, call((wasm) => wasm.emitToObjects(this.#read() as never, name, json, attachments, false)));
  }

  /** Asks the other objects. @internal */
  async askObjects(name: string, args: readonly unknown[]): Promise<unknown[]> {
    if (isReplaying()) throw leftOut(name);
    const { json, attachments } = encode(args);
    const asked = call((wasm) => wasm.emitToObjects(this.#read() as never, name, json, attachments, true));
    return readAnswers(await asked);
  }

  #move(room: string | string[], enter: boolean): Sent {
    if (isReplaying()) return true as unknown as Sent;
    const what = enter ? "socketsJoin" : "socketsLeave";
    return sent(what, call((wasm) => wasm.moveMany(this.#read() as never, list(room), enter)));
  }

  /** Returns the selection for wasm, in the object that this code runs in. */
  #read(): Selection & { object: number } {
    const selection = this.#selection;
    const here = selection.here ?? current()?.here;
    return { ...selection, object: here?.number ?? 0 };
  }
}

/** Returns the answers that wasm has collected. Throws if any is missing. */
function readAnswers(collected: unknown): unknown[] {
  const [isLate, ...answers] = collected as [boolean, ...(string | [string, Uint8Array[]])[]];
  const responses = answers.map((answer) => decodeAnswer(answer)[0]);
  if (isLate) throw Object.assign(new Error("operation has timed out"), { responses });
  return responses;
}

/** Returns the error of a question that is asked while listeners are run again. @internal */
export function leftOut(event: string): Error {
  return new Error(
    `dormouse-io: "${event}" is not sent while \`connection\` listeners are run again after sleep, so nobody ` +
      "answers it; ask only `if (!socket.replayed)`, and keep the answer in `socket.data`",
  );
}

interface Fetched {
  id: string;
  rooms: string[];
  data: unknown;
  handshake: Handshake;
}

/** A socket as it was when it was fetched, wherever it is. */
export class RemoteSocket<EmitEvents extends EventsMap, SocketData> {
  readonly id: string;
  readonly handshake: Handshake;
  readonly rooms: Set<string>;
  /** What the socket's `data` was. Changes of it are not saved. */
  readonly data: SocketData;
  readonly #operator: BroadcastOperator<EmitEvents, SocketData>;

  /** @internal */
  constructor(selection: Selection, fetched: Fetched) {
    this.id = fetched.id;
    this.handshake = asInNode(fetched.handshake);
    this.rooms = new Set(fetched.rooms);
    this.data = (fetched.data ?? {}) as SocketData;
    const { path, namespace, key, here } = selection;
    this.#operator = new BroadcastOperator({
      ...everybody(path, namespace),
      key,
      here,
      rooms: [this.id],
      single: true,
    });
  }

  /** Sets how long to wait for an acknowledgement, in milliseconds. */
  timeout(timeout: number): BroadcastOperator<WithTimeout<EmitEvents>, SocketData> {
    return this.#operator.timeout(timeout);
  }

  /** Sends the socket an event. */
  emit<Name extends EventNames<EmitEvents>>(event: Name, ...args: EventParams<EmitEvents, Name>): Sent {
    return this.#operator.emit(event, ...args);
  }

  /** Makes the socket enter a room, or several. */
  join(room: string | string[]): Sent {
    return this.#operator.socketsJoin(room);
  }

  /** Makes the socket leave a room. */
  leave(room: string): Sent {
    return this.#operator.socketsLeave(room);
  }

  /** Disconnects the socket, or, with `true`, its client from all namespaces. */
  disconnect(close = false): this {
    this.#operator.disconnectSockets(close);
    return this;
  }
}

