// Runs the same rules for both revisions of Engine.IO.

import { describe } from 'node:test';
import { encode } from './payload.mjs';
import { openPolling, openSession } from './session.mjs';

/** The same rules for both revisions, with what opens a session of each. */
export function eachRevision(server, path, rules) {
  for (const revision of [3, 4]) {
    describe(`revision ${revision}`, { concurrency: true }, () => {
      rules({
        revision,
        polling: (options) => openPolling(server, { revision, path, ...options }),
        websocket: (options) => openSession(server, { revision, path, ...options }),
        /** The body that holds these packets. */
        body: (...packets) => encode(revision, packets),
      });
    });
  }
}
