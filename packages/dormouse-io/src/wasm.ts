// The wasm instance, and what replaces it when it has ended in a panic: objects of the
// instance before are of no use then, and the next one is given the application anew.

import * as glue from "dormouse-wasm";

const state = glue.__worker_init_state() as { criticalError: boolean; instanceId: number };

type Exports = typeof glue;

let host: object | undefined;
/** The instance that has the application. */
let installed: number | undefined;
/** How many calls out of wasm are being answered, each within the last. */
let inside = 0;
const endings: (() => void)[] = [];

/** Sets who describes the application, and hears of all that happens. */
export function setHost(it: object): void {
  host = it;
}

/** Has a function called when an instance has ended. */
export function whenEnded(ending: () => void): void {
  endings.push(ending);
}

/** Returns the number of the instance that is there now. */
export function instance(): number {
  if (state.criticalError) {
    // Whoever has called us would go on in another memory than it has begun in.
    if (inside > 0) throw new Error("dormouse-io: the wasm instance has ended; the next event finds another");
    state.criticalError = false;
    state.instanceId += 1;
    glue.__wbg_reset_state();
  }
  return state.instanceId;
}

/** Calls into the instance that has the application. */
export function call<T>(body: (wasm: Exports) => T): T {
  const number = instance();
  try {
    if (installed !== number) begin(number);
    return body(glue);
  } catch (error) {
    note(error);
    throw error;
  }
}

function begin(number: number): void {
  if (installed !== undefined) for (const ending of endings) ending();
  installed = number;
  glue.install(host);
}

/** Answers a call out of wasm. */
export function answer<T>(body: () => T): T {
  inside += 1;
  try {
    return body();
  } finally {
    inside -= 1;
  }
}

/** Returns the option of a server that cannot be served, and the remedy. */
export function check(server: object): string[] | undefined {
  instance();
  return glue.check(server);
}

/** Notes that an instance has ended: by a panic, or because there was no stack left for it. */
function note(error: unknown): void {
  if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) state.criticalError = true;
}

// Where the instance ends in a task of its own, nobody is there to catch the error.
addEventListener("error" as never, (event: unknown) => {
  const { error } = event as { error?: unknown };
  if (error instanceof WebAssembly.RuntimeError) note(error);
});
