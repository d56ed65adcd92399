// The same for tests in any language: the Worker, and an address beside it on which a test
// says what is to happen to its objects. It ends when its standard input does, which is when
// whoever has started it is gone.

import { createServer } from 'node:http';
import { dollars } from './prices.mjs';
import { start } from './start.mjs';

const HOST = '127.0.0.1';

export async function serve(options) {
  const worker = await start(options);
  const server = createServer((request, response) => answer(worker, request, response));
  const stop = async () => {
    server.closeAllConnections();
    server.close();
    await worker.stop();
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop);
  process.stdin.once('end', stop).once('close', stop).resume();
  await new Promise((resolve) => server.listen(0, HOST, resolve));
  const control = `http://${HOST}:${server.address().port}`;
  console.log(JSON.stringify({ url: worker.url, control }));
}

/** By the paths of the requests. */
const verbs = {
  sleep: (worker, { socket }) => worker.sleep(socket),
  abort: (worker, { socket }) => worker.abort(socket),
  'close-web-sockets': (worker, { socket }) => worker.closeWebSockets(socket),
  advance: (worker, { ms }) => manual(worker).advance(Number(ms)),
  meter: async (worker, { socket }) => {
    const total = await worker.meter.total(socket);
    return { ...total, dollars: dollars(total) };
  },
  log: (worker, { timeout, ...fields }) => worker.logs.waitFor(fields),
};

function manual({ clock }) {
  if (!clock) throw new Error('the clock is not manual: `--clock manual`');
  return clock;
}

async function answer(worker, request, response) {
  const { pathname, searchParams } = new URL(request.url, `http://${HOST}`);
  const verb = Object.hasOwn(verbs, pathname.slice(1)) ? verbs[pathname.slice(1)] : undefined;
  const reply = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  if (!verb || request.method !== 'POST') return reply(404, { error: `POST to one of: ${Object.keys(verbs).join(', ')}` });
  try {
    return reply(200, (await verb(worker, Object.fromEntries(searchParams))) ?? null);
  } catch ({ message }) {
    return reply(500, { error: message });
  }
}
