// `npm run conformance`: a server on port 3000 for the protocols' published test
// suites, which expect this address and these timings. It is the test Worker, with
// an Engine.IO echo at /engine.io/ and Socket.IO at /socket.io/, until stopped.

import { fileURLToPath } from 'node:url';
import { main, say } from './shell.mjs';
import { build, testWorker } from './build.mjs';
import { ensurePortIsFree, host, serve } from './serve.mjs';
import { modernNode } from './setup.mjs';

const port = 3000;

async function prepare() {
  await ensurePortIsFree(port, 'stop what uses it, the test suites know no other');
  await build(testWorker);
  // The runtime may need a newer Node than the one that runs this.
  await serve(await modernNode(), [fileURLToPath(import.meta.url), 'serve']);
}

async function serveHere() {
  const { start } = await import('../tests/harness/runtime/miniflare.mjs');
  const server = await start({ port });
  const url = `http://${host}:${port}`;
  say(`${url}/engine.io/ is an echo, ${url}/socket.io/ speaks Socket.IO (Ctrl+C stops it)`);
  process.once('SIGINT', async () => {
    await server.stop();
    process.exit();
  });
}

await main(process.argv[2] === 'serve' ? serveHere : prepare);
