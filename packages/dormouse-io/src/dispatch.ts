// From what wasm says of a socket to the application's listeners.

import { current, isReplaying, report, type Running, run } from "./context.js";
import type { AnyListener } from "./emitter.js";
import type { Here } from "./here.js";
import { type ExtendedError, Namespace } from "./namespace.js";
import { validate } from "./schema.js";
import { type Event, Socket } from "./socket.js";
import { warnOfTimers } from "./strict.js";

type AnySocket = Socket<any, any, any, any>;
type AnyNamespace = Namespace<any, any, any, any>;

/**
 * How long events wait for `connection` listeners, in milliseconds. One that never returns
 * must not silence its client.
 */
const READY_LIMIT = 10_000;

/** The namespace of a definition, and the one whose listeners its sockets have. */
export interface Place {
  nsp: AnyNamespace;
  /** That of the definition: of a namespace that a regular expression stands for, the parent. */
  source: AnyNamespace;
}

/** Where a socket is, and what is known of it. */
export interface Spot {
  here: Here;
  number: number;
  place(): Place;
}

/** Asks the middlewares about a client. Returns what refuses it, if anything does. */
export function examine(spot: Spot, known: { id: string; recovered: boolean }): unknown {
  const { nsp, source } = spot.place();
  const socket = new Socket(nsp, source, spot.here, spot.number, known);
  spot.here.sockets.set(spot.number, socket);
  const { promise, resolve } = Promise.withResolvers<unknown>();
  let verdict: { refused: unknown } | undefined;
  const end = (error?: ExtendedError): void => {
    socket._save();
    if (verdict) return;
    verdict = { refused: error ? refusal(error) : undefined };
    if (error) spot.here.sockets.delete(spot.number);
    resolve(verdict.refused);
  };
  const step = (index: number): void => {
    const middleware = source._middlewares[index];
    if (!middleware || (index > 0 && socket._isOver)) return end();
    let isDone = false;
    const next = (error?: ExtendedError): void => {
      if (isDone) return;
      isDone = true;
      if (error) end(error);
      else step(index + 1);
    };
    const fail = (error: unknown): void => {
      report("a middleware failed", error);
      next(new Error("internal error"));
    };
    try {
      const result = run({ here: spot.here, replaying: false }, () => middleware(socket, next));
      if (result instanceof Promise) result.catch(fail);
    } catch (error) {
      fail(error);
    }
  };
  step(0);
  return verdict ? verdict.refused : promise;
}

function refusal({ message, data }: ExtendedError): [string, string | undefined] {
  return [message, data === undefined ? undefined : JSON.stringify(data)];
}

/** Tells the listeners of a client that has joined. */
export function connect(spot: Spot, known: { id: string; recovered: boolean }): void {
  let socket = spot.here.sockets.get(spot.number);
  if (!socket) {
    const { nsp, source } = spot.place();
    socket = new Socket(nsp, source, spot.here, spot.number, known);
    spot.here.sockets.set(spot.number, socket);
  }
  begin(socket, { here: spot.here, replaying: false });
  release(spot, socket);
}

/** Returns a socket, on which the `connection` listeners have been run, or are being run. */
function wake(spot: Spot): AnySocket {
  const known = spot.here.sockets.get(spot.number);
  if (known) return known;
  const { nsp, source } = spot.place();
  const replayed = listens(source) && nsp.server._options.replay !== false;
  const socket = new Socket(nsp, source, spot.here, spot.number, { replayed });
  spot.here.sockets.set(spot.number, socket);
  if (replayed) begin(socket, { here: spot.here, replaying: true });
  return socket;
}

/** Returns whether a namespace has `connection` listeners. */
export function listens(source: AnyNamespace): boolean {
  return source.listenerCount("connection") + source.listenerCount("connect") > 0;
}

/** Runs the `connection` listeners. */
function begin(socket: AnySocket, running: Running): void {
  const source = socket._source;
  socket._isReplaying = running.replaying;
  if (!running.replaying && socket.nsp.server._options.replay === false) socket._forbids = forbid;
  const listeners = [...source.listeners("connect"), ...source.listeners("connection")] as AnyListener[];
  const waiting = run(running, () => callAll(listeners, [socket], "a `connection` listener failed"));
  const end = (): void => {
    if (running.replaying) socket._restore();
    else socket._save();
    running.replaying = false;
    socket._ready = undefined;
    if (socket.nsp.server._isStrict) socket._forbids = warn;
  };
  if (waiting.length === 0) return end();
  socket._ready = limited(Promise.all(waiting)).then(end);
}

function forbid(event: string | symbol): void {
  throw new Error(
    `dormouse-io: with replay: false, the listener of "${String(event)}" would be lost when the object sleeps; use ` +
      `io.handle("${String(event)}", (socket, ...args) => …) where the module is evaluated, or leave replay out`,
  );
}

function warn(event: string | symbol): void {
  console.warn(
    `dormouse-io: the listener of "${String(event)}" is registered outside of a \`connection\` listener, so it is ` +
      "lost when the object sleeps",
  );
}

async function limited(done: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      report("a `connection` listener", `has not returned for ${READY_LIMIT / 1000} s; events do not wait any longer`);
      resolve();
    }, READY_LIMIT);
  });
  await Promise.race([done, late]);
  if (timer !== undefined) clearTimeout(timer);
}

/** Calls listeners, and returns the promises of those that wait. None is rejected. */
function callAll(listeners: readonly AnyListener[], args: readonly unknown[], what: string): Promise<unknown>[] {
  const waiting: Promise<unknown>[] = [];
  for (const listener of listeners) {
    try {
      const result: unknown = listener(...args);
      if (result instanceof Promise) waiting.push(result.catch((error: unknown) => report(what, error)));
    } catch (error) {
      report(what, error);
    }
  }
  return waiting;
}

/** Hands an event to its listeners. Returns a promise if any of them waits. */
export function handleEvent(spot: Spot, event: Event, ack: number): Promise<unknown> | undefined {
  const socket = wake(spot);
  socket._pending += 1;
  const acknowledge = ack < 0 ? undefined : acknowledgement(socket, ack);
  if (acknowledge) event.push((...values: unknown[]) => acknowledge(values));
  const running = { here: spot.here, replaying: false };
  const handle = (): unknown => run(running, () => deliver(socket, event, acknowledge));
  const handled = socket._ready ? socket._ready.then(() => socket.connected && handle()) : handle();
  if (!(handled instanceof Promise)) {
    end(spot, socket);
    return undefined;
  }
  // What listeners have changed before they wait.
  socket._save();
  const failed = (error: unknown): void => report(`the event "${event[0]}" failed`, error);
  return handled.catch(failed).then(() => end(spot, socket));
}

/** Ends an event. */
function end(spot: Spot, socket: AnySocket): void {
  socket._save();
  spot.here.save();
  socket._pending -= 1;
  release(spot, socket);
}

type Acknowledge = ((values: unknown[]) => void) | undefined;

/** Returns what acknowledges an event, the first time that it is called. */
function acknowledgement(socket: AnySocket, ack: number): (values: unknown[]) => void {
  let isDone = false;
  return (values) => {
    if (isDone) return;
    isDone = true;
    socket._acknowledge(ack, values);
  };
}

/** Has an event pass the checks, and calls its listeners. */
function deliver(socket: AnySocket, event: Event, acknowledge: Acknowledge): unknown {
  const schema = socket._source._schemas.get(event[0]) ?? socket.nsp.server._schemas.get(event[0]);
  if (!schema) return pass(socket, event, acknowledge);
  const args = event.slice(1, acknowledge ? -1 : undefined);
  const go = (checked: Awaited<ReturnType<typeof validate>>): unknown => {
    if ("error" in checked) return acknowledge?.([{ error: checked.error }]);
    const rest = acknowledge ? [event.at(-1)] : [];
    return pass(socket, [event[0], ...checked.args, ...rest], acknowledge);
  };
  const checked = validate(schema, args);
  return checked instanceof Promise ? checked.then(go) : go(checked);
}

function pass(socket: AnySocket, event: Event, acknowledge: Acknowledge): unknown {
  const waiting = socket._hearsAny ? callAll(socket.listenersAny(), event, `a listener of "${event[0]}" failed`) : [];
  if (!socket._checks) return joined(waiting, callListeners(socket, event, acknowledge));
  const { promise, resolve } = Promise.withResolvers<unknown>();
  let isDone = false;
  const running = current();
  socket._check(event, (error) => {
    if (isDone) return;
    isDone = true;
    const go = (): unknown => (error ? fail(socket, error) : callListeners(socket, event, acknowledge));
    resolve(running ? run(running, go) : go());
  });
  // One that never goes on is not waited for.
  return isDone ? joined([...waiting, promise], undefined) : joined(waiting, undefined);
}

function joined(waiting: Promise<unknown>[], more: unknown): unknown {
  if (more instanceof Promise) waiting.push(more);
  return waiting.length > 0 ? Promise.all(waiting) : undefined;
}

function fail(socket: AnySocket, error: Error): unknown {
  const listeners = socket._take("error");
  if (listeners.length === 0) report("a check of `socket.use` failed, and nobody listens to the event `error`", error);
  return joined(callAll(listeners, [error], "a listener of `error` failed"), undefined);
}

function callListeners(socket: AnySocket, event: Event, acknowledge: Acknowledge): unknown {
  const name = event[0];
  const args = event.slice(1);
  const failed = (error: unknown): void => {
    report(`a listener of "${name}" failed`, error);
    acknowledge?.([{ error: "internal error" }]);
  };
  const waiting: Promise<unknown>[] = [];
  for (const listener of socket._take(name)) {
    try {
      const result: unknown = listener.apply(socket, args);
      if (result instanceof Promise) waiting.push(result.catch(failed));
    } catch (error) {
      failed(error);
    }
  }
  const handler = socket._source._handlers.get(name);
  if (handler) waiting.push(...answering(() => handler(socket, ...args), acknowledge, failed));
  return joined(waiting, undefined);
}

/** Calls a handler, and acknowledges an event with what it returns. Returns its promise, if it waits. */
function answering(
  handler: () => unknown,
  acknowledge: Acknowledge,
  failed: (error: unknown) => void,
): Promise<unknown>[] {
  const reply = (value: unknown): void => {
    if (value !== undefined) acknowledge?.([value]);
  };
  try {
    const result = handler();
    if (result instanceof Promise) return [result.then(reply).catch(failed)];
    reply(result);
  } catch (error) {
    failed(error);
  }
  return [];
}

/** Tells the listeners of a socket that has gone. */
export function disconnect(spot: Spot, reason: string): Promise<unknown> | undefined {
  const { here, number } = spot;
  // Nobody would hear of it.
  if (!here.sockets.has(number) && !hearsOfEnds(spot.place().source)) return undefined;
  const socket = wake(spot);
  const tell = (): unknown =>
    run({ here, replaying: false }, () => {
      const waiting = tellOf("disconnecting", socket, reason);
      socket._leave();
      return joined([...waiting, ...tellOf("disconnect", socket, reason)], undefined);
    });
  const forget = (): void => void here.sockets.delete(number);
  const told = socket._ready ? socket._ready.then(tell) : tell();
  if (told instanceof Promise) return told.then(forget);
  forget();
  return undefined;
}

function hearsOfEnds(source: AnyNamespace): boolean {
  return listens(source) || source._handlers.has("disconnect") || source._handlers.has("disconnecting");
}

function tellOf(event: string, socket: AnySocket, reason: string): Promise<unknown>[] {
  const what = `a listener of "${event}" failed`;
  const waiting = callAll(socket._take(event), [reason], what);
  const handler = socket._source._handlers.get(event);
  return handler ? [...waiting, ...callAll([handler], [socket, reason], what)] : waiting;
}

/** Tells the listeners of an event that a socket is sent. */
export function tellSent(spot: Spot, event: Event): void {
  // Whoever is asleep is not woken for it.
  const socket = spot.here.sockets.get(spot.number);
  if (!socket || isReplaying()) return;
  run({ here: spot.here, replaying: false }, () => socket._tellOutgoing(event));
}

/** In strict mode, forgets a socket in between its events, as sleep would. */
function release(spot: Spot, socket: AnySocket): void {
  if (!socket.nsp.server._isStrict) return;
  warnOfTimers();
  if (socket._pending > 0 || socket._ready) {
    socket._ready?.then(() => release(spot, socket));
    return;
  }
  if (spot.here.sockets.get(spot.number) === socket) spot.here.sockets.delete(spot.number);
}
