// The number of simultaneous clients for which this machine allows enough open files.

import { capture, say } from './shell.mjs';

/** Files that are reserved for other purposes of the clients and the runtime. */
const SPARE = 2_000;
/** The runtime opens two files for each WebSocket. */
const FILES = 2;

/** Returns the wanted number of clients, or the possible one, `beside` others. */
export async function clientsWithin(wanted, beside = 0) {
  const limit = Number(await capture('sh', ['-c', 'ulimit -Hn']));
  const most = Math.floor(((limit - SPARE) / FILES - beside) / 100) * 100;
  // If there is no limit, this is not a number.
  if (!(most < wanted)) return wanted;
  say(`${limit} open files are enough for ${most} clients in one object, not for ${wanted}`);
  return most;
}
