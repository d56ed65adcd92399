// Options that cannot be served are told where the server is created, with the remedy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApplication } from '../harness/typescript.mjs';

let server;
before(async () => (server = await startApplication('tests/typescript/application/options.ts')));
after(() => server?.stop());

async function create(options, namespace) {
  const answer = await fetch(server.url, { method: 'POST', body: JSON.stringify({ options, namespace }) });
  return answer.text();
}

const good = [
  {},
  { path: '/chat', pingInterval: 20_000, pingTimeout: 5000, connectTimeout: 1000, maxHttpBufferSize: 1e6 },
  { transports: ['websocket'], allowUpgrades: false, allowEIO3: false, serveClient: false, perMessageDeflate: false },
  { cors: { origin: '*' } },
  { cors: { origin: true, credentials: true, methods: ['GET', 'POST'] } },
  { cors: { origin: ['https://a.example', 'https://b.example'] } },
  { cookie: true },
  { cookie: { name: 'io', path: '/', httpOnly: true, sameSite: 'none', maxAge: 60 } },
  { httpCompression: false },
  { httpCompression: { threshold: 4096 } },
  { parser: 'msgpack', inOrder: true, ackTimeout: 1000, maxRooms: 5, maxRows: 10, log: 'info', strict: true },
  { connectionStateRecovery: {}, cleanupEmptyChildNamespaces: true, replay: false, anyOutgoing: true },
  { tracing: true, usage: true },
  { rateLimit: { packets: [10, 100] }, addressRateLimit: { handshakes: [1, 10] }, placement: 'one', binding: 'IO' },
];

const wrong = [
  [{ pingIntervall: 1 }, 'the option pingIntervall is not possible: there is no such option'],
  [{ pingInterval: '25s' }, 'the option pingInterval has to be a number that is not negative'],
  [{ pingInterval: -1 }, 'the option pingInterval has to be a number that is not negative'],
  [{ pingInterval: 100_000 }, 'the option pingInterval '],
  [{ maxHttpBufferSize: 1e9 }, 'the option maxHttpBufferSize '],
  [{ maxRows: 0 }, 'the option maxRows must be at least 2'],
  [{ maxPacket: 1e9 }, 'the option maxPacket must be at most maxMemory'],
  [{ connectTimeout: 0 }, 'the option connectTimeout must be over 0'],
  [{ transports: [] }, 'the option transports '],
  [{ transports: ['webtransport'] }, 'the option transports has to be a list of "polling" and "websocket"'],
  [{ cors: { origin: [{}] } }, 'the option cors.origin has to be "*", an origin, or a list'],
  [{ cors: { maxAge: 1 } }, 'the option cors.maxAge is not possible'],
  [{ cors: true }, 'the option cors has to be an object'],
  [{ logger: true }, 'the option logger has to be a function'],
  [{ tracing: 'yes' }, 'the option tracing has to be true or false'],
  [{ usage: 1 }, 'the option usage has to be true, false, or a function'],
  [{ rateLimit: { packets: 10 } }, 'the option rateLimit has to be an object such as'],
  [{ rateLimit: { packets: [0, 1] } }, 'the option rateLimit '],
  [{ connectionStateRecovery: { maxDisconnectionDuration: 0 } }, 'the option connectionStateRecovery '],
  [{ adapter: {} }, 'the option adapter is not possible: rooms are'],
  [{ serveClient: true }, 'the option serveClient is not possible: clients load'],
  [{ perMessageDeflate: true }, 'the option perMessageDeflate is not possible: the runtime decides'],
  [{ wsEngine: 'ws' }, 'the option wsEngine is not possible'],
  [{ events: { chat: {} } }, 'events.chat is not a Standard Schema'],
  [{ listen: 1 }, 'new Server(httpServer) is not offered: a Worker has no HTTP server'],
];

test('options that can be served', async () => {
  for (const options of good) assert.equal(await create(options), '', JSON.stringify(options));
});

for (const [options, expected] of wrong) {
  test(`${JSON.stringify(options)} cannot`, async () => {
    const message = await create(options);
    assert.ok(message.startsWith(`dormouse-io: ${expected}`), message || 'nothing is wrong with it');
  });
}

test('names that namespaces cannot have', async () => {
  for (const name of ['/a,b', '/a?b', '/{a}']) assert.match(await create({}, name), /cannot be the name of a namespace/);
  assert.equal(await create({}, 'chat'), '');
});
