// The configuration of workerd: the built Worker, and a second one beside it that puts
// objects to sleep, cuts them off or aborts them, and disturbs calls between objects.

import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from './built.mjs';

export const HOST = '127.0.0.1';
const ABORT = 'dormouse-test-abort';
/** The header that is a request's `cf`. */
export const CF = 'dormouse-test-cf';

/**
 * The built Worker, with objects that can be told to abort, that count what they are called
 * for, and whose calls can go wrong. It finds the globals set.
 */
export const ENTRY = `
import 'globals.js';
export { default } from 'index.js';
import { WorkerEntrypoint } from 'cloudflare:workers';
import { Dormouse as Built } from 'index.js';

// By the objects' ids. All are in one isolate, and sleep does not reach what is here.
const counts = new Map();
const disturbing = new Map();

const lost = () => new Error('lost, as the test has asked for');

/** What can become of a call. */
const disturbances = {
  hangs: () => scheduler.wait(2 ** 31 - 1),
  fails: () => Promise.reject(lost()),
  'loses its answer': async (call) => {
    await call();
    throw lost();
  },
  'comes twice': async (call) => {
    await call();
    return call();
  },
  'comes late': async (call) => {
    await scheduler.wait(20 * Math.random());
    return call();
  },
  'is answered late': async (call) => {
    const answer = await call();
    await scheduler.wait(20 * Math.random());
    return answer;
  },
};
const { hangs, ...passing } = disturbances;
/** Each call in another way, and every second one not at all. */
disturbances['is shaky'] = (call) => {
  const all = Object.values(passing);
  const one = all[Math.floor(2 * all.length * Math.random())];
  return one && one(call);
};

export class Watch extends WorkerEntrypoint {
  counts() {
    return Object.fromEntries(counts);
  }

  disturb(id, how) {
    disturbing.set(id, disturbances[how]);
  }
}

export class Dormouse extends Built {
  #state;
  #counts;
  #id;

  constructor(state, env) {
    super(state, env);
    this.#state = state;
    this.#id = state.id.toString();
    if (!counts.has(this.#id)) counts.set(this.#id, { wakes: 0, calls: 0, disturbed: 0, alarms: 0 });
    this.#counts = counts.get(this.#id);
    this.#counts.wakes += 1;
  }

  dormouseCall(...call) {
    this.#counts.calls += 1;
    const run = () => super.dormouseCall(...call);
    const disturb = disturbing.get(this.#id) ?? disturbing.get('');
    const disturbed = disturb?.(run);
    if (disturbed) this.#counts.disturbed += 1;
    return disturbed ?? run();
  }

  alarm() {
    this.#counts.alarms += 1;
    return super.alarm();
  }

  fetch(request) {
    if (request.headers.has('${ABORT}')) this.#state.abort('${ABORT}');
    return super.fetch(request);
  }
}
`;

/** Does to objects what the platform does, from outside the Worker. */
export const CONTROL = `
import unsafe from 'workerd:unsafe';

const verbs = {
  evict: (object, { webSockets }) => unsafe.evict(object, { webSockets }),
  abort: (object) => object.fetch('http://object/', { headers: { '${ABORT}': 'now' } }),
  call: async (object, { method, args }) => void (await object[method](...args)),
  id: (object) => object.id.toString(),
};

export default {
  async fetch(request, env) {
    const { what, id, name, ...more } = await request.json();
    if (what === 'counts') return Response.json(await env.WATCH.counts());
    if (what === 'disturb') return Response.json(await env.WATCH.disturb(id, more.how) ?? true);
    const of = name === undefined ? env.DORMOUSE.idFromString(id) : env.DORMOUSE.idFromName(name);
    try {
      const result = await verbs[what](env.DORMOUSE.get(of), more);
      return Response.json(result ?? true);
    } catch ({ message }) {
      if (/not currently running/.test(message)) return new Response('false');
      if (!message.includes('${ABORT}')) return new Response(message, { status: 500 });
      return Response.json(true);
    }
  },
};
`;

/** A variable as a binding: text, or what TOML has besides, as JSON. */
function binding([name, value]) {
  const [type, text] = typeof value === 'string' ? ['text', value] : ['json', JSON.stringify(value)];
  return `(name = "${name}", ${type} = ${JSON.stringify(text)}),`;
}

/**
 * The configuration of workerd: everything above is in `directory`. The Worker reaches
 * servers on this machine and no others.
 */
export function configuration(directory, { storage, tidy, variables, flags }, port) {
  const disk = `(name = "storage", disk = (path = "${directory}/storage", writable = true)),`;
  return `
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  logging = (structuredLogging = true),
  v8Flags = [${tidy ? '"--stress-compaction"' : ''}],
  services = [
    ${storage ? disk : ''}
    (name = "dormouse", worker = .dormouse),
    (name = "control", worker = .control),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [
    (name = "http", address = "${HOST}:${port}", http = (cfBlobHeader = "${CF}"), service = "dormouse"),
    (name = "control", address = "${HOST}:0", http = (), service = "control"),
  ],
);

const dormouse :Workerd.Worker = (
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ${JSON.stringify([...COMPATIBILITY_FLAGS, ...flags])},
  modules = [
    (name = "entry.js", esModule = embed "entry.js"),
    (name = "globals.js", esModule = embed "globals.js"),
    (name = "index.js", esModule = embed "index.js"),
    (name = "index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  durableObjectNamespaces = [(className = "Dormouse", uniqueKey = "dormouse-tests", enableSql = true)],
  durableObjectStorage = ${storage ? '(localDisk = "storage")' : '(inMemory = void)'},
  bindings = [
    (name = "DORMOUSE", durableObjectNamespace = "Dormouse"),
    ${Object.entries(variables).map(binding).join(' ')}
  ],
);

const control :Workerd.Worker = (
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ["unsafe_module"],
  modules = [(name = "control.js", esModule = embed "control.js")],
  bindings = [
    (name = "DORMOUSE", durableObjectNamespace = (className = "Dormouse", serviceName = "dormouse")),
    (name = "WATCH", service = (name = "dormouse", entrypoint = "Watch")),
  ],
);
`;
}
