// `npm start`: installs what is missing, builds, and serves the playground on
// this machine. `npm start -- --port 8788` takes another port.

import net from 'node:net';
import { Failure, isMain, main, say } from './shell.mjs';
import { build } from './build.mjs';
import { serve } from './wrangler.mjs';

const host = '127.0.0.1';

async function start(args) {
  const port = portFrom(args);
  // Asked first, because a first build takes minutes.
  await ensurePortIsFree(port);
  await build();
  say(`serving on http://localhost:${port} (Ctrl+C stops it)`);
  await serve(['dev', '--ip', host, '--port', String(port)]);
}

function portFrom(args) {
  const text = args.length === 0 ? '8787' : /^--port[= ](\d+)$/.exec(args.join(' '))?.[1];
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Failure('`npm start` takes no argument but `-- --port <number>`');
  }
  return port;
}

function ensurePortIsFree(port) {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', (error) => {
      reject(new Failure(`port ${port} cannot be used (${error.code}): run \`npm start -- --port ${port + 1}\``));
    });
    probe.listen({ port, host, exclusive: true }, () => probe.close(resolve));
  });
}

if (isMain(import.meta)) {
  await main(() => start(process.argv.slice(2)));
}
