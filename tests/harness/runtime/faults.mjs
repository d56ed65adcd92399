// Faults that can hit an object while it holds sessions, and sessions in all states for
// them to hit.

import { before, describe, test } from 'node:test';
import { objectId } from './built.mjs';

/**
 * `sockets`: WebSockets outlive it. `waits`: it happens only once nothing keeps the object
 * awake. Rows outlive everything. `strike` hits the objects of these sessions.
 */
export const faults = {
  'put to sleep': { sockets: true, waits: true, strike: each((server, sid) => server.sleep(sid)) },
  'cut off': { sockets: false, waits: true, strike: each((server, sid) => server.cut(sid)) },
  aborted: { sockets: false, waits: false, strike: each((server, sid) => server.abort(sid)) },
  'killed with the runtime': { sockets: false, waits: false, strike: killAndRestart },
};

function each(strike) {
  return (server, sids) => {
    const objects = new Map(sids.map((sid) => [objectId(sid), sid]));
    return Promise.all([...objects.values()].map((sid) => strike(server, sid)));
  };
}

async function killAndRestart(server) {
  await server.kill();
  await server.restart();
}

/**
 * A test for each state: sessions in all of them are arranged together, then comes the
 * fault, then each is looked at. A state is a function of `context` that returns its `sid`
 * and a `check`, which is told whether WebSockets have outlived the fault.
 */
export function inEveryState(server, title, { strike, sockets }, states, context) {
  describe(title, { concurrency: true, skip: context.skip }, () => {
    const arranged = new Map();
    before(async () => {
      const arrange = async ([name, state]) => arranged.set(name, await state(context));
      await Promise.all(Object.entries(states).map(arrange));
      await server.settled();
      await strike(server, [...arranged.values()].map(({ sid }) => sid));
    });
    for (const name of Object.keys(states)) test(name, () => arranged.get(name).check(sockets));
  });
}
