// What is around the wasm of a development build: the platform's classes and events, each
// call of which takes a new instance of the wasm when the one before has ended in a panic.
// In a release, this is worker-build's.

import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';
import * as wasm from 'worker-wasm';

Error.stackTraceLimit = 100;

/** The platform's events, which are functions of `worker`. */
const EVENTS = ['fetch', 'scheduled', 'queue', 'email', 'connect'];
/** Methods of wasm-bindgen's, which nobody is to call from elsewhere. */
const OWN = ['constructor', 'free', '__destroy_into_raw'];

const state = wasm.__worker_init_state();

/** Calls into the instance that is there now. */
function call(body) {
  if (state.criticalError) {
    console.log('Reinitializing Wasm application');
    wasm.__wbg_reset_state();
    state.criticalError = false;
    state.instanceId += 1;
  }
  try {
    return body();
  } catch (error) {
    note(error);
    throw error;
  }
}

/** Notes that an instance has ended. */
function note(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  console.error('Critical', error);
  state.criticalError = true;
}

// Where the instance ends in a task of its own, nobody is there to catch the error.
addEventListener('error', ({ error }) => note(error));

/** The class of a Durable Object. What it has of wasm is made again for each instance. */
export function durable(Class) {
  return class extends DurableObject {
    #object;
    #instance;

    constructor(context, env) {
      super(context, env);
      this.#with(() => {});
    }

    #with(body) {
      return call(() => {
        if (this.#instance !== state.instanceId) {
          this.#object = new Class(this.ctx, this.env);
          this.#instance = state.instanceId;
        }
        return body(this.#object);
      });
    }

    static {
      const names = Object.getOwnPropertyNames(Class.prototype);
      for (const name of names.filter((it) => !OWN.includes(it))) {
        this.prototype[name] = function (...args) {
          return this.#with((object) => object[name](...args));
        };
      }
    }
  };
}

export default class Entrypoint extends WorkerEntrypoint {
  static {
    for (const name of EVENTS.filter((it) => it in wasm)) {
      this.prototype[name] = function (event) {
        return call(() => wasm[name].call(this, event, this.env, this.ctx));
      };
    }
  }
}
