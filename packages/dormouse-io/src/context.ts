// Which object the running code belongs to, and whether it is repeated after sleep. Code
// that waits is followed by `AsyncLocalStorage`, where a compatibility flag brings it.

import type { AsyncLocalStorage } from "node:async_hooks";
import type { Here } from "./here.ts";

/** What is known of code that runs. */
export interface Running {
  readonly here: Here;
  /** `connection` listeners are run again, and what they do through us is left out. */
  replaying: boolean;
}

const storage = await find();
/** What runs now, until it waits: quicker to ask than the storage, and there without one. */
let running: Running | undefined;

async function find(): Promise<AsyncLocalStorage<Running> | undefined> {
  try {
    const hooks = await import("node:async_hooks");
    return new hooks.AsyncLocalStorage<Running>();
  } catch {
    return undefined;
  }
}

/** Whether code is followed while it waits. */
export const follows = storage !== undefined;

/** Returns what is known of the code that calls this. */
export function current(): Running | undefined {
  return running ?? storage?.getStore();
}

/** Runs a function of the application. */
export function run<T>(as: Running, body: () => T): T {
  const before = running;
  running = as;
  try {
    return storage ? storage.run(as, body) : body();
  } finally {
    running = before;
  }
}

/** Returns whether effects of the code that calls this are left out. */
export function isReplaying(): boolean {
  return current()?.replaying === true;
}

/** Logs an error of the application's that nobody else hears of. */
export function report(what: string, error: unknown): void {
  console.error(`dormouse-io: ${what}:`, error);
}
