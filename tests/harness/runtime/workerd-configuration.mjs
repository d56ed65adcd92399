// The configuration of workerd: the built Worker, and a second one beside it that puts
// objects to sleep, cuts them off or aborts them.

import { COMPATIBILITY_DATE, COMPATIBILITY_FLAGS } from './built.mjs';

export const HOST = '127.0.0.1';
const ABORT = 'dormouse-test-abort';

/** The built Worker, with objects that can be told to abort. It finds the globals set. */
export const ENTRY = `
import 'globals.js';
export { default } from 'index.js';
import { Dormouse as Built } from 'index.js';

export class Dormouse extends Built {
  #state;

  constructor(state, env) {
    super(state, env);
    this.#state = state;
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
  call: (object, { method, args }) => object[method](...args),
};

export default {
  async fetch(request, env) {
    const { what, id, name, ...more } = await request.json();
    const of = name === undefined ? env.DORMOUSE.idFromString(id) : env.DORMOUSE.idFromName(name);
    try {
      await verbs[what](env.DORMOUSE.get(of), more);
    } catch ({ message }) {
      if (/not currently running/.test(message)) return new Response('false');
      if (!message.includes('${ABORT}')) return new Response(message, { status: 500 });
    }
    return new Response('true');
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
export function configuration(directory, { storage, tidy, variables }, port) {
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
    (name = "http", address = "${HOST}:${port}", http = (), service = "dormouse"),
    (name = "control", address = "${HOST}:0", http = (), service = "control"),
  ],
);

const dormouse :Workerd.Worker = (
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ${JSON.stringify(COMPATIBILITY_FLAGS)},
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
  ],
);
`;
}
