// What wasm calls: the servers, as they are described to it, and everything that their
// clients do. Nothing here throws into wasm.

import { report, run } from "./context.js";
import { connect, disconnect, examine, handleEvent, listens, type Place, type Spot, tellSent } from "./dispatch.js";
import { asInNode } from "./handshake.js";
import { beginHere, forgetAll, forgetHere, type Here, here } from "./here.js";
import { Namespace, ParentNamespace } from "./namespace.js";
import type { HandshakeRequest, LogRecord, ServerOptions } from "./options.js";
import type { Server } from "./server.js";
import type { Event } from "./socket.js";
import { readUsage } from "./usage.js";
import { decode } from "./values.js";
import { answer, call, setHost, whenEnded } from "./wasm.js";

type AnyServer = Server<any, any, any, any>;

const servers: AnyServer[] = [];
/** All namespaces that are defined, by the numbers that wasm has for them. */
let definitions: Namespace<any, any, any, any>[] = [];

/** Adds a server to what is served. A later one on the same path takes its place. */
export function addServer(server: AnyServer): void {
  const place = servers.findIndex((it) => it._path === server._path);
  if (place >= 0) servers.splice(place, 1, server);
  else servers.push(server);
}

/** Describes all servers, each time that a wasm instance begins. */
function describe(): object[] {
  definitions = [];
  return servers.map((server) => {
    const all = [...server._named.values(), ...server._parents];
    const namespaces = all.map((namespace) => {
      namespace._isSealed = true;
      return {
        name: namespace instanceof ParentNamespace ? undefined : namespace.name,
        definition: definitions.push(namespace) - 1,
        examines: namespace._middlewares.length > 0,
        connects: listens(namespace),
        observes: server._options.anyOutgoing === true,
      };
    });
    return {
      options: server._forWasm,
      binding: server._options.binding,
      admits: server._options.allowRequest !== undefined,
      counts: typeof server._options.usage === "function",
      logs: server._options.logger !== undefined,
      places: typeof server._options.placement === "function",
      spread: spread(server._options.placement),
      hears: [...new Set(all.flatMap((namespace) => namespace._hears))],
      opens: server.listenerCount("new_namespace") > 0,
      namespaces,
    };
  });
}

/** Returns the description of many objects, if there are to be many. */
function spread(placement: ServerOptions["placement"]): object | undefined {
  if (typeof placement !== "object") return undefined;
  const { near, ...options } = placement;
  return { ...options, isNear: near !== undefined };
}

/** Where a socket is, by the numbers that wasm has. Its namespace is looked up when it is needed. */
class DefinedSpot implements Spot {
  readonly here: Here;
  readonly number: number;
  readonly #definition: number;
  readonly #name: string | undefined;

  constructor(object: number, definition: number, socket: number, name?: string) {
    this.here = here(object);
    this.number = socket;
    this.#definition = definition;
    this.#name = name;
  }

  place(): Place {
    const source = definitions[this.#definition];
    if (!source) throw new Error(`there is no namespace ${this.#definition}`);
    if (!(source instanceof ParentNamespace)) return { nsp: source, source };
    const name = this.#name ?? call((wasm) => wasm.identify(this.here.number, this.number))?.[1] ?? "";
    return { nsp: source._child(name), source };
  }
}

/** Returns what a function returns that wasm calls; if it throws, that is reported. */
function safely<T, E>(what: string, body: () => T, otherwise: E): T | E {
  try {
    return answer(body);
  } catch (error) {
    report(what, error);
    return otherwise;
  }
}

/** Does the same with a function that may wait. */
function eventually<T>(what: string, body: () => T | Promise<T>, otherwise: T): T | Promise<T> {
  const failed = (error: unknown): T => {
    report(what, error);
    return otherwise;
  };
  try {
    const result = answer(body);
    return result instanceof Promise ? result.catch(failed) : result;
  } catch (error) {
    return failed(error);
  }
}

function requestOf(handshake: string): HandshakeRequest {
  return { ...asInNode(JSON.parse(handshake) as HandshakeRequest), method: "GET" };
}

function admit(server: number, handshake: string): undefined | string | Promise<string | undefined> {
  const allowRequest = servers[server]?._options.allowRequest as undefined | ((...args: unknown[]) => unknown);
  if (!allowRequest) return undefined;
  const request = requestOf(handshake);
  const verdict = (allowed: unknown, error?: unknown): string | undefined =>
    allowed ? undefined : String(error ?? "Forbidden");
  return eventually<string | undefined>(
    "allowRequest failed",
    () => {
      if (allowRequest.length < 2) {
        const answer = allowRequest(request);
        return answer instanceof Promise ? answer.then((allowed) => verdict(allowed)) : verdict(answer);
      }
      const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
      const result = allowRequest(request, (error: unknown, allowed: unknown) => resolve(verdict(allowed, error)));
      if (result instanceof Promise) result.catch(reject);
      return promise;
    },
    "internal error",
  );
}

function exists(definition: number, namespace: string, handshake: string): boolean | Promise<boolean> {
  const parent = definitions[definition];
  if (!(parent instanceof ParentNamespace)) return false;
  return eventually(
    "the function of a namespace failed",
    () => {
      let answer: boolean | undefined;
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const { auth } = JSON.parse(handshake) as { auth: { [key: string]: unknown } };
      const result = parent._matches(namespace, auth, (error, exists) => {
        answer ??= !error && exists;
        resolve(answer);
      });
      if (result instanceof Promise) result.catch(reject);
      return answer ?? promise;
    },
    false,
  );
}

function open(object: number, server: number, name: string): undefined | Promise<undefined> {
  const opened = servers[server];
  const listeners = opened?.listeners("new_namespace") ?? [];
  const namespace = opened?.of(name);
  const running = { here: here(object), replaying: false };
  const waiting = run(running, () =>
    listeners.map((listener) =>
      eventually("a `new_namespace` listener failed", () => listener(namespace as never) as undefined, undefined),
    ),
  );
  return waiting.some((it) => it instanceof Promise) ? Promise.all(waiting).then(() => undefined) : undefined;
}

/** Tells the application what was counted. */
function count(object: number, server: number, counted: string): undefined | Promise<undefined> {
  const { usage } = servers[server]?._options ?? {};
  if (typeof usage !== "function") return undefined;
  const running = { here: here(object), replaying: false };
  return eventually("the function `usage` failed", () => run(running, () => usage(readUsage(counted))) as undefined, undefined);
}

/** Handles an event of another object. Whoever takes a function besides the arguments answers with it. */
function hear(
  object: number,
  server: number,
  name: string,
  json: string,
  attachments: Uint8Array[] | undefined,
): undefined | string | Promise<string | undefined> {
  return eventually<string | undefined>(
    "a listener of the server's failed",
    async () => {
      const [event, ...args] = decode(json, attachments) as Event;
      const listeners = servers[server]?._named.get(name)?._take(event) ?? [];
      const { promise, resolve } = Promise.withResolvers<unknown[]>();
      const answers = listeners.some((listener) => listener.length > args.length);
      const answer = (...values: unknown[]): void => resolve(values);
      const running = { here: here(object), replaying: false };
      await Promise.all(run(running, () => listeners.map((listener) => listener(...args, answer))));
      if (!answers) resolve([]);
      return JSON.stringify(await promise);
    },
    undefined,
  );
}

const host = {
  describe,
  begin: beginHere,
  forget: forgetHere,
  lost: (object: number, socket: number): void => {
    safely("a socket", () => here(object).sockets.delete(socket), false);
  },
  admit,
  log: (server: number, line: string): void => {
    const { _options, _path } = servers[server] ?? {};
    safely("a logger failed", () => _options?.logger?.({ ...(JSON.parse(line) as LogRecord), server: _path ?? "" }), undefined);
  },
  place: (server: number, handshake: string): string => {
    const placement = servers[server]?._options.placement;
    const key = typeof placement === "object" ? placement.near : placement;
    // A client for which it fails is with the others for which it fails.
    return safely("placement failed", () => (typeof key === "function" ? String(key(requestOf(handshake))) : ""), "");
  },
  exists,
  count,
  open,
  hear,
  examine: (
    object: number,
    definition: number,
    socket: number,
    id: string,
    namespace: string,
    recovered: boolean,
  ): unknown =>
    safely("a middleware failed", () => examine(new DefinedSpot(object, definition, socket, namespace), { id, recovered }), [
      "internal error",
    ]),
  connect: (
    object: number,
    definition: number,
    socket: number,
    id: string,
    namespace: string,
    recovered: boolean,
  ): void =>
    safely(
      "a `connection` listener failed",
      () => connect(new DefinedSpot(object, definition, socket, namespace), { id, recovered }),
      undefined,
    ),
  event: (
    object: number,
    definition: number,
    socket: number,
    json: string,
    attachments: Uint8Array[] | undefined,
    ack: number,
  ): unknown =>
    safely(
      "an event failed",
      () => handleEvent(new DefinedSpot(object, definition, socket), decode(json, attachments) as Event, ack),
      undefined,
    ),
  sent: (
    object: number,
    definition: number,
    socket: number,
    json: string,
    attachments: Uint8Array[] | undefined,
  ): void =>
    safely(
      "a listener of outgoing events failed",
      () => tellSent(new DefinedSpot(object, definition, socket), decode(json, attachments) as Event),
      undefined,
    ),
  disconnect: (object: number, definition: number, socket: number, reason: string): unknown =>
    safely("a `disconnect` listener failed", () => disconnect(new DefinedSpot(object, definition, socket), reason), undefined),
};

setHost(host);
whenEnded(forgetAll);
