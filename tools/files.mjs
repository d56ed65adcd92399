// How many clients at once the open files of this machine are enough for.

import { capture, say } from './shell.mjs';

/** Files that neither the clients nor the runtime can open for anything else. */
const SPARE = 2_000;
/** The runtime opens two files for each WebSocket. */
const FILES = 2;

/** As many clients as are wanted, or as there can be, `beside` so many others. */
export async function clientsWithin(wanted, beside = 0) {
  const limit = Number(await capture('sh', ['-c', 'ulimit -Hn']));
  const most = Math.floor(((limit - SPARE) / FILES - beside) / 100) * 100;
  // Where there is no limit, it is no number.
  if (!(most < wanted)) return wanted;
  say(`${limit} open files are enough for ${most} clients in one object, not for ${wanted}`);
  return most;
}
