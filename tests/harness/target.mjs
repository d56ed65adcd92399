// The server that the tests talk to: the built Worker on workerd, or the stock
// JavaScript server of the same protocol. The second one is there to test the tests:
// what both servers pass is a rule of the protocol, not a habit of ours.

export const target = process.env.DORMOUSE_TEST_TARGET ?? 'worker';

if (target !== 'worker' && target !== 'reference') {
  throw new Error(`DORMOUSE_TEST_TARGET is "${target}": say "worker" or "reference"`);
}

/**
 * Whether the runtime is left to negotiate permessage-deflate, as it does in a Worker
 * without the compatibility flag that forbids it, and the raw clients offer it.
 */
export const isCompressed = process.env.DORMOUSE_TEST_COMPRESSION === 'on';

/** Test options that skip a case on the reference server, saying where it differs. */
export function differs(how) {
  return { skip: target === 'reference' ? `the reference server ${how}` : false };
}

/** Test options for what only the Worker's application or runtime has. */
export const workerOnly = differs('runs neither our application interface nor our runtime');

/** Test options for cases that put an object to sleep. */
export const sleeping = differs('never sleeps');
