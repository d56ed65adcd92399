// `npm start`: installs what is missing, builds, and serves the playground on
// this machine. `npm start -- --port 8788` uses another port.

import { Failure, main, say } from './shell.mjs';
import { build, playground } from './build.mjs';
import { ensurePortIsFree, host } from './serve.mjs';
import { dev } from './wrangler.mjs';

function portFrom(args) {
  const text = args.length === 0 ? '8787' : /^--port[= ](\d+)$/.exec(args.join(' '))?.[1];
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Failure('`npm start` takes no argument but `-- --port <number>`');
  }
  return port;
}

await main(async () => {
  const port = portFrom(process.argv.slice(2));
  await ensurePortIsFree(port, `run \`npm start -- --port ${port + 1}\``);
  await build(playground, { dev: true });
  say(`serving the playground at http://localhost:${port} (Ctrl+C stops it)`);
  await dev(['--ip', host, '--port', String(port)]);
});
