// The reference server: npm's `engine.io` and, beside it, `socket.io`, with the
// options and routes of the test Worker, to check the tests against something
// that is known to be right.

import { readFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { Server } from 'engine.io';
import { root } from '../root.mjs';
import { Logs } from '#dormouse-test/logs.mjs';
import { attachApplication } from './engine-application.mjs';
import { attachSocketServers } from './socket-servers.mjs';

const common = { allowEIO3: true, allowRequest };
const endpoints = {
  '/engine.io/': {
    pingInterval: 400,
    pingTimeout: 600,
    maxHttpBufferSize: 1_000_000,
    cors: { origin: '*' },
  },
  '/sleepy/': {},
  '/strict/': {
    cors: { origin: ['http://good.example'], credentials: true },
    cookie: true,
    allowEIO3: false,
    upgradeTimeout: 500,
    maxHttpBufferSize: 1_000,
  },
  '/polling/': { transports: ['polling'] },
  '/websocket/': { transports: ['websocket'] },
  '/noupgrade/': { allowUpgrades: false },
  '/ordered/': {},
  '/headed/': { cookie: { name: 'io', path: '/' }, cors: { origin: '*' } },
  '/admitted/': { allowRequest: allowLater },
};

/** Adds headers to answers: what is not a header of the protocol's own, that is. */
function addHeaders(engine) {
  engine.on('initial_headers', (headers, request) => {
    headers['set-cookie'] = ['a=1; Path=/', 'b=2; Max-Age=0'];
    headers['x-initial'] = request.headers['x-hat'] ?? '';
  });
  engine.on('headers', (headers, request) => {
    headers['x-every'] = request.method;
  });
}

export async function start({ port = 0, assets } = {}) {
  const logs = new Logs();
  const engines = new Map();
  const server = http.createServer((request, response) =>
    routes({ engines, assets, io }, request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    }),
  );
  server.setMaxListeners(0);
  for (const [path, options] of Object.entries(endpoints)) {
    const engine = new Server({ ...common, ...options });
    engine.attach(server, { path });
    attachApplication(engine, logs);
    if (path === '/headed/') addHeaders(engine);
    engines.set(path, engine);
  }
  const io = attachSocketServers(server, logs);
  const allEngines = [...engines.values(), ...io.engines];
  for (const engine of allEngines) {
    // A closed polling session waits this long for its client (30 s by default),
    // and the process that runs the tests would wait with it.
    engine.on('connection', ({ transport }) => (transport.closeTimeout = 2_000));
  }
  const sockets = new Set();
  server.on('connection', (socket) => {
    sockets.add(socket.on('close', () => sockets.delete(socket)));
  });
  await new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  const address = `127.0.0.1:${server.address().port}`;
  const never = () => {
    throw new Error('the reference server never sleeps: skip this case');
  };
  return {
    url: `http://${address}`,
    wsUrl: `ws://${address}`,
    entryUrl: `http://${address}`,
    host: '127.0.0.1',
    port: server.address().port,
    logs,
    sleep: never,
    cut: never,
    settled: async () => {},
    stop: async () => {
      for (const engine of allEngines) abandon(engine);
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Ends all sessions without waiting for their clients, so that no timer is left. */
function abandon(engine) {
  for (const client of Object.values(engine.clients)) {
    client.transport.discard();
    client.close(true);
  }
}

/** The application's own routes, beside Engine.IO's. */
async function routes({ engines, assets, io }, request, response) {
  const url = new URL(request.url, 'http://localhost');
  const client = engines.get(url.searchParams.get('path'))?.clients[url.searchParams.get('sid')];
  const route = `${request.method} ${url.pathname}`;
  if (route === 'GET /plain') return response.end('plain');
  if (url.pathname.startsWith('/io-route/')) {
    const answer = await io.routes(url, await text(request));
    return response.writeHead(answer === undefined ? 404 : 200).end(answer);
  }
  if (assets) return serveFile(path.join(assets, url.pathname), response);
  if (!client) return response.writeHead(404).end();
  if (route === 'POST /send') client.send(await text(request));
  else if (route === 'POST /disconnect') client.close();
  else if (route === 'GET /transport') return response.end(client.transport.name);
  else return response.writeHead(404).end();
  return response.end();
}

const types = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

async function serveFile(name, response) {
  const file = path.extname(name) ? name : path.join(name, 'index.html');
  const contents = await readFile(path.join(root, file)).catch(() => undefined);
  response.setHeader('content-type', types[path.extname(file)] ?? 'text/html');
  response.writeHead(contents ? 200 : 404).end(contents);
}

async function text(request) {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) body += chunk;
  return body;
}

function allowLater(request, decide) {
  const { admission, delay = 50 } = request._query;
  const decided = admission === undefined ? [undefined, true] : [admission === 'no' ? undefined : 'not you', false];
  setTimeout(decide, Number(delay), ...decided);
}

function allowRequest(request, decide) {
  const { admission } = request._query;
  if (admission === 'no') decide(undefined, false);
  else if (admission === 'msg') decide('not you', false);
  else decide(undefined, true);
}
