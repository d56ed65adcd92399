// How long a Worker takes to start: from the start of the runtime to the first
// answer, beside that of a Worker that has nothing in it.

import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../harness/measure.mjs';
import { startWorkerd } from '../harness/processes.mjs';

const folder = fileURLToPath(new URL('..', import.meta.url));
const EMPTY = { modules: [['empty.mjs', 'esModule', path.join(folder, 'servers/empty.mjs')]] };

/** `build`: the folder of a built Worker with the object `Dormouse`. */
export async function measureStart(build, { rounds, onProgress }) {
  onProgress('start of a Worker');
  const ours = {
    modules: [
      ['index.js', 'esModule', path.join(build, 'index.js')],
      ['index_bg.wasm', 'wasm', path.join(build, 'index_bg.wasm')],
    ],
    binding: 'DORMOUSE',
    object: 'Dormouse',
  };
  const times = { ours: [], peer: [] };
  for (let round = 0; round < rounds; round += 1) {
    times.ours.push(await start(ours));
    times.peer.push(await start(EMPTY));
  }
  const [mine, peer] = [median(times.ours), median(times.peer)];
  return [
    {
      name: 'start of the playground, until the first answer',
      unit: 'ms',
      ours: mine,
      peer,
      ratio: median(times.peer.map((time, round) => time / times.ours[round])),
      peer_name: 'an empty Worker',
    },
  ];
}

async function start(worker) {
  const began = performance.now();
  const server = await startWorkerd('start', worker);
  await (await fetch(server.url)).text();
  const took = performance.now() - began;
  await server.stop();
  return took;
}
