// A client's request names the object that it wants to be in by the query `object`, and tests
// name objects the same way. It runs within workerd, around the Worker.

import { ledgerOf } from './ledgers.mjs';
import { shown, whole } from './meter.mjs';

/** The ledgers by the names that the tests give to the objects. */
const named = new Map();

export const watch = {
  state: (object) => ({ ...whole(), ...shown(named.get(object)) }),
  idOf: (object) => named.get(object).id,
};

export const front = (Front) => ({
  fetch(request, env, context) {
    const object = new URL(request.url).searchParams.get('object');
    return new Front(context, placing(env, object)).fetch(request);
  },
});

/** The Worker's bindings, by which new sessions get into the object of that name. */
function placing(env, object) {
  const objects = env.DORMOUSE;
  const idFromName = (name) => {
    // The name ends with the shard, which is chosen at random.
    const id = objects.idFromName(name.replace(/\S+$/, object));
    named.set(object, ledgerOf(id));
    return id;
  };
  return {
    ...env,
    DORMOUSE: {
      idFromName,
      idFromString: (id) => objects.idFromString(id),
      newUniqueId: () => {
        const id = objects.newUniqueId();
        named.set(object, ledgerOf(id));
        return id;
      },
      get: (id) => objects.get(id),
    },
  };
}
