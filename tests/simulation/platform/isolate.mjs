// An isolate: one instance of the built Worker, with everything that it can reach
// of a runtime taken from the simulation. Nothing of Node's is within its reach.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { transformSync } from 'esbuild';
import { Body, FakeHeaders, FakeRequest, FakeResponse } from './web.mjs';
import { Pair, ServerSocket, socketPair } from './websocket.mjs';

const GLOBALS = [
  'globalThis',
  'global',
  'self',
  'window',
  'require',
  'module',
  'exports',
  'console',
  'crypto',
  'Math',
  'Date',
  'setTimeout',
  'clearTimeout',
  'queueMicrotask',
  'addEventListener',
  'FinalizationRegistry',
  'Headers',
  'Request',
  'Response',
  'ReadableStream',
  'WebSocket',
  'WebSocketPair',
  'WebSocketRequestResponsePair',
  'WebAssembly',
];

/** The build, compiled once for all isolates. */
export function load(build) {
  const source = readFileSync(path.join(build, 'index.js'), 'utf8');
  const { code } = transformSync(source, { format: 'cjs' });
  const wasm = readFileSync(path.join(build, 'index_bg.wasm'));
  return {
    run: vm.compileFunction(code, GLOBALS, { filename: 'index.js' }),
    wasm: new WebAssembly.Module(wasm),
  };
}

export class Isolate {
  #listeners = [];
  #finalizers = new Map();
  #memory;

  constructor(program, platform) {
    this.platform = platform;
    const module = { exports: {} };
    const fakes = {
      ...this.#fakes(),
      module,
      exports: module.exports,
      require: (name) => this.#require(name, program),
    };
    const world = {};
    for (const name of ['globalThis', 'global', 'self', 'window']) fakes[name] = world;
    Object.assign(world, fakes);
    program.run(...GLOBALS.map((name) => fakes[name]));
    this.exports = module.exports;
  }

  /** Of the linear memory of its wasm instance, which never shrinks. */
  get bytes() {
    return this.#memory.buffer.byteLength;
  }

  #instantiate(module, imports) {
    const instance = new WebAssembly.Instance(module, imports);
    this.#memory = instance.exports.memory;
    return instance;
  }

  #require(name, program) {
    if (name === './index_bg.wasm') return { __esModule: true, default: program.wasm };
    return { WorkerEntrypoint, DurableObject: WorkerEntrypoint };
  }

  #fakes() {
    const { platform } = this;
    const line =
      (level) =>
      (...values) =>
        platform.console(level, values.join(' '));
    const finalizers = this.#finalizers;
    const isolate = this;
    return {
      console: {
        log: line('log'),
        warn: line('warn'),
        error: line('error'),
        debug: line('log'),
        info: line('log'),
      },
      crypto: { getRandomValues: (bytes) => platform.randomBytes(bytes) },
      Math: Object.assign(Object.create(Math), { random: () => platform.random.server() }),
      Date: class extends Date {
        static now() {
          return platform.time();
        }
      },
      setTimeout: (...args) => platform.setTimeout(...args),
      clearTimeout: (timer) => platform.clearTimeout(timer),
      queueMicrotask: (run) => queueMicrotask(() => this.guarded(run)),
      addEventListener: (type, listener) => this.#listeners.push({ type, listener }),
      // Garbage is collected when the simulation says so.
      FinalizationRegistry: class {
        constructor(free) {
          this.free = free;
        }
        register(thing, held, token) {
          const free = () => finalizers.delete(token ?? thing) && this.free(held);
          finalizers.set(token ?? thing, free);
          isolate.lastRegistered = free;
        }
        unregister(token) {
          finalizers.delete(token);
        }
      },
      Headers: FakeHeaders,
      Request: FakeRequest,
      Response: FakeResponse,
      ReadableStream: Body,
      WebSocket: ServerSocket,
      WebSocketPair: function () {
        return socketPair(platform);
      },
      WebSocketRequestResponsePair: Pair,
      WebAssembly: Object.assign(Object.create(WebAssembly), {
        Instance: function Instance(module, imports) {
          return isolate.#instantiate(module, imports);
        },
      }),
    };
  }

  /** Runs what nobody waits for: what it throws is an `error` event. */
  guarded(run) {
    try {
      run();
    } catch (error) {
      this.platform.uncaught(error);
      for (const { type, listener } of this.#listeners) if (type === 'error') listener({ error });
    }
  }
}

class WorkerEntrypoint {
  constructor(ctx, env) {
    this.ctx = ctx;
    this.env = env;
  }
}
