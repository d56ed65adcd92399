// A Worker beside the one under test: it does to objects what the platform does, from outside
// of them. It is asked by the harness alone, on an address of its own.

import unsafe from 'workerd:unsafe';

// As controlled.mjs has it, of which this Worker knows nothing.
const ABORT = 'aborted, as the test has asked for';

const verbs = {
  evict: (object, { webSockets }) => unsafe.evict(object, { webSockets }),
  abort: (object) => object.dormouseTestAbort(),
  fire: (object) => object.dormouseTestFire(),
  wake: (object) => object.dormouseTestPinged(),
  pinged: (object) => object.dormouseTestPinged(),
  call: async (object, { method, args }) => void (await object[method](...args)),
  id: (object) => object.id.toString(),
};

export default {
  async fetch(request, env) {
    const { what, id, name, ...more } = await request.json();
    try {
      if (what === 'watch') return Response.json((await env.WATCH.ask(more.method, more.args)) ?? null);
      const of = name === undefined ? env.OBJECTS.idFromString(id) : env.OBJECTS.idFromName(name);
      const result = await verbs[what](env.OBJECTS.get(of), more);
      return Response.json(result ?? true);
    } catch ({ message }) {
      if (/not currently running/.test(message)) return Response.json(false);
      if (!message.includes(ABORT)) return new Response(message, { status: 500 });
      return Response.json(true);
    }
  },
};
