// `npm run conformance`: serves the published test suites, each on the port that it
// knows, until stopped. tests/suites/README.md says how to run them.
//
//   npm run conformance                               those of the protocols
//   npm run conformance -- --suite engine.io-client   that of the client
//   npm run conformance -- --suite socket.io-client

import { fileURLToPath } from 'node:url';
import { Failure, main, say } from './shell.mjs';
import { build, testWorker } from './build.mjs';
import { ensurePortIsFree, host, serve } from './serve.mjs';
import { modernNode } from './setup.mjs';

const clients = 'tests/suites';
const protocols = 'protocols';

const suites = {
  [protocols]: { worker: testWorker, port: 3000, paths: ['/engine.io/', '/socket.io/', '/spread/'] },
  'engine.io-client': { worker: clients, port: 3000, paths: ['/engine.io/'] },
  'socket.io-client': { worker: clients, port: 3210, paths: ['/socket.io/'] },
};

function chosen(args) {
  if (args.length === 0) return protocols;
  const [option, name, ...more] = args;
  if (option !== '--suite' || !Object.hasOwn(suites, name ?? '') || more.length > 0) {
    throw new Failure(`say \`npm run conformance -- --suite NAME\`: ${Object.keys(suites).join(', ')}`);
  }
  return name;
}

async function prepare(name) {
  const { worker, port } = suites[name];
  await ensurePortIsFree(port, 'stop what uses it, the suite knows no other');
  await build(worker);
  // The runtime may need a newer Node than the one that runs this.
  await serve(await modernNode(), [fileURLToPath(import.meta.url), 'serve', name]);
}

async function serveHere(name) {
  const { start } = await import('../tests/harness/runtime/miniflare.mjs');
  const { worker, port, paths } = suites[name];
  // For the HTTP API of the Socket.IO servers.
  const bindings = { API_SECRET: 'conformance' };
  const server = await start({ build: `${worker}/build`, port, worker: { bindings } });
  const urls = paths.map((path) => `http://${host}:${port}${path}`);
  say(`serving ${urls.join(' and ')} for the suite "${name}" (Ctrl+C stops it)`);
  process.once('SIGINT', async () => {
    await server.stop();
    process.exit();
  });
}

await main(async () => {
  const [first, ...rest] = process.argv.slice(2);
  if (first === 'serve') await serveHere(...rest);
  else await prepare(chosen(process.argv.slice(2)));
});
