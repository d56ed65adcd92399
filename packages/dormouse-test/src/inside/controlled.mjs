// The class of the objects, with what the harness does to one from within it.

import { settings } from './settings.mjs';

/** What an object that was aborted is said to fail with. */
export const ABORT = 'aborted, as the test has asked for';

/** The ids of all objects that were ever called. */
export const known = new Set(Object.keys(settings.ledgers));

export function controlled(Built) {
  return class extends Built {
    #state;

    constructor(state, env) {
      super(state, env);
      this.#state = state;
      known.add(state.id.toString());
    }

    dormouseTestAbort() {
      this.#state.abort(ABORT);
    }
  };
}
