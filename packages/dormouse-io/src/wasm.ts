// The wasm instance, and what replaces it when it has ended in a panic: objects of the
// instance before are of no use then, and the next one is given the application anew.

import * as glue from "dormouse-wasm";

const state = glue.__worker_init_state() as { criticalError: boolean; instanceId: number };

type Exports = typeof glue;

let host: object | undefined;
let installed: number | undefined;
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
    state.criticalError = false;
    state.instanceId += 1;
    for (const ending of endings) ending();
    glue.__wbg_reset_state();
  }
  return state.instanceId;
}

/** Calls into the instance that has the application. */
export function call<T>(body: (wasm: Exports) => T): T {
  const number = instance();
  try {
    if (installed !== number) {
      installed = number;
      glue.install(host);
    }
    return body(glue);
  } catch (error) {
    note(error);
    throw error;
  }
}

/** Returns the option of a server that cannot be served, and the remedy. */
export function check(server: object): string[] | undefined {
  instance();
  return glue.check(server);
}

function note(error: unknown): void {
  if (error instanceof WebAssembly.RuntimeError) state.criticalError = true;
}

// Where the instance ends in a task of its own, nobody is there to catch the error.
addEventListener("error" as never, (event: unknown) => note((event as { error?: unknown }).error));
