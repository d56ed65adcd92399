// Runs the same rules over every transport, for both revisions, and on sleeping objects.

import { describe } from 'node:test';
import { sleeping } from '../target.mjs';
import { openClient, openMember } from './client.mjs';

/**
 * Describes `rules` once for each transport and revision, and over WebSocket once more
 * with the object asleep before anything that the client sends. They are given functions
 * that open a client and a member in that way.
 */
export function eachWay(server, rules, { path = '/io/', revisions = [4], asleep = true } = {}) {
  const ways = revisions.flatMap((revision) => [
    { revision, transport: 'websocket' },
    { revision, transport: 'polling' },
    ...(asleep ? [{ revision, transport: 'websocket', asleep }] : []),
  ]);
  for (const way of ways) {
    const protocol = way.revision === 3 ? 'protocol 4' : 'protocol 5';
    const name = `${protocol}, ${way.transport}${way.asleep ? ', asleep in between' : ''}`;
    // Whoever puts the object to sleep does so under everyone in it.
    const options = way.asleep ? { concurrency: 1, ...sleeping } : { concurrency: true };
    describe(name, options, () => {
      rules({
        ...way,
        open: (more) => openClient(server, { path, ...way, ...more }),
        member: (more) => openMember(server, { path, ...way, ...more }),
      });
    });
  }
}
