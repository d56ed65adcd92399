// The fixed delays that are left, each with its reason: whatever can be waited for is
// waited for (wait.mjs). All in milliseconds.

import { setTimeout as delay } from 'node:timers/promises';

/**
 * Time itself is what is tested, or the pace of a load: a timeout that must not have
 * passed yet, or must have, by the clock alone and with nothing to tell of it.
 */
export const pass = (ms) => delay(ms);

/** What must not come would have come by now. */
export const nothingComes = () => delay(100);

// The server saves a polling session at the latest so long after its last change.
const SAVED_AFTER = 500;
const MARGIN = 200;

/** Polling sessions are certainly saved by now: no answer and no log line tells. */
export const settled = () => delay(SAVED_AFTER + MARGIN);
