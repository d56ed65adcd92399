// The fixed delays that are left, each with its reason: whatever can be waited for is
// waited for (wait.mjs). All in milliseconds.

import { delay } from './wait.mjs';

// The server saves a polling session at the latest so long after its last change.
const SAVED_AFTER = 500;
const MARGIN = 200;

/** Until polling sessions are certainly saved: nothing that a client or the log is told says so. */
export const settled = () => delay(SAVED_AFTER + MARGIN);
