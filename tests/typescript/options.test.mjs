// Options that cannot be served are told where the server is created, with the remedy.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startApplication } from '../harness/typescript.mjs';

let server;
let spread;
before(async () => {
  server = await startApplication('tests/typescript/application/options.ts');
  spread = await startApplication('tests/typescript/application/options-spread.ts');
});
after(async () => {
  await server?.stop();
  await spread?.stop();
});

async function create(options, namespace, at = server) {
  const answer = await fetch(at.url, { method: 'POST', body: JSON.stringify({ options, namespace }) });
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

const goodInSpread = [
  { admin: true },
  { admin: {}, placement: { objects: 8 } },
  { admin: { namespace: '/watch', username: 'root', secrets: ['A', 'B'], sessionDuration: 60_000, assets: ['FILES', '/'] } },
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
  [{ admin: true }, 'the option admin is not possible: the admin UI is in dormouse-io/spread: import Server from there'],
  [{ admin: 'yes' }, 'the option admin has to be true, false, or an object'],
  [{ adapter: {} }, 'the option adapter is not possible: rooms are'],
  [{ serveClient: true }, 'the option serveClient is not possible: clients load'],
  [{ perMessageDeflate: true }, 'the option perMessageDeflate is not possible: the runtime decides'],
  [{ wsEngine: 'ws' }, 'the option wsEngine is not possible'],
  [{ events: { chat: {} } }, 'events.chat is not a Standard Schema'],
  [{ listen: 1 }, 'new Server(httpServer) is not offered: a Worker has no HTTP server'],
];

const wrongInSpread = [
  [{ admin: { user: 'root' } }, 'the option admin.user is not possible: there is no such option'],
  [{ admin: { namespace: 7 } }, 'the option admin.namespace has to be a name'],
  [{ admin: { namespace: '/a{' } }, 'the option namespace is not possible'],
  [{ admin: { username: '' } }, 'the option admin.username must have from 1 to 1,024 bytes'],
  [{ admin: { secrets: ['A'] } }, 'the option admin.secrets has to be a list of the names of two variables'],
  [{ admin: { sessionDuration: '1d' } }, 'the option admin.sessionDuration has to be a number that is not negative'],
  [{ admin: { sessionDuration: 59_999 } }, 'the option admin.sessionDuration must be from a minute to 30 days'],
  [{ admin: { readOnly: 1 } }, 'the option admin.readOnly has to be true or false'],
  [{ admin: { development: 'true' } }, 'the option admin.development has to be true or false'],
  [{ admin: { ui: true } }, 'the option admin.ui has to be a path'],
  [{ admin: { ui: '/other' } }, 'the option admin is not possible: ui is at the path of the server, `/other/`'],
  [{ admin: { ui: '/admin', assets: 'ASSETS' } }, "the option admin.assets has to be a list of a binding's name and a folder"],
  [{ admin: { ui: '/admin' } }, 'the option admin is not possible: ui finds no assets in the binding `ASSETS`'],
  [{ placement: {} }, 'the option placement.objects has to be a number over 0'],
  [{ placement: { object: 8 } }, 'the option placement.object is not possible: there is no such option'],
  [{ placement: { objects: 8, hub: 1 } }, 'the option placement.hub is not possible: there is no such option'],
];

test('options that can be served', async () => {
  for (const options of good) assert.equal(await create(options), '', JSON.stringify(options));
  for (const options of [...good, ...goodInSpread]) assert.equal(await create(options, undefined, spread), '', JSON.stringify(options));
});

for (const [entry, all] of [['', wrong], [' in dormouse-io/spread', wrongInSpread]]) {
  for (const [options, expected] of all) {
    test(`${JSON.stringify(options)} cannot${entry}`, async () => {
      const message = await create(options, undefined, entry ? spread : server);
      assert.ok(message.startsWith(`dormouse-io: ${expected}`), message || 'nothing is wrong with it');
    });
  }
}

test('names that namespaces cannot have', async () => {
  for (const name of ['/a,b', '/a?b', '/{a}']) assert.match(await create({}, name), /cannot be the name of a namespace/);
  assert.equal(await create({}, 'chat'), '');
});

test('names that the option admin has taken', async () => {
  for (const [admin, name] of [[true, '/admin'], [true, 'admin'], [{}, '/admin'], [{ namespace: '/watch' }, '/watch']]) {
    assert.match(await create({ admin }, name, spread), /^dormouse-io: "\/\w+" is the namespace of the option admin/);
  }
  for (const [admin, name] of [[false, '/admin'], [true, '/watch'], [{ namespace: '/watch' }, '/admin']]) {
    assert.equal(await create({ admin }, name, spread), '');
  }
});
