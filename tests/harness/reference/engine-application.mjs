// The application under test, written for the reference server. The same one
// in Rust is tests/worker; the two must not differ in what a client can see.

import { setTimeout as sleep } from 'node:timers/promises';

/** Gives one Engine.IO server of npm's `engine.io` the test application. */
export function attachApplication(engine, logs) {
  engine.on('connection', (socket) => {
    const sid = socket.id;
    log(logs, 'connect', { sid });
    socket.on('upgrade', () => log(logs, 'upgrade', { sid }));
    socket.on('close', (reason) => log(logs, 'disconnect', { sid, reason }));
    const client = { engine, socket, session: undefined, request: describe(socket.request) };
    socket.on('message', (data) => answer(client, data));
    if (socket.request._query.greet) socket.send('hello');
  });
}

function answer(client, data) {
  if (typeof data !== 'string' || !data.startsWith('cmd:')) {
    client.socket.send(data);
    return;
  }
  const [name, ...words] = data.slice('cmd:'.length).split(' ');
  commands[name]?.(client, words);
}

const commands = {
  close: ({ socket }) => socket.close(),
  burst: ({ socket }, [count]) => {
    for (let index = 0; index < Number(count); index += 1) socket.send(String(index));
  },
  big: ({ socket }, [size]) => socket.send('x'.repeat(Number(size))),
  bigbin: ({ socket }, [size]) => socket.send(Buffer.alloc(Number(size), 0x2a)),
  transport: ({ socket }) => socket.send(socket.transport.name),
  json: ({ socket }) => socket.send(JSON.stringify({ a: 1, b: [true, null] })),
  session: (client, [verb, ...rest]) => {
    const text = rest.join(' ');
    if (verb === 'set') client.session = text;
    if (verb === 'edit') client.session = (client.session ?? '') + text;
    client.socket.send(verb === 'set' ? 'saved' : (client.session ?? 'none'));
  },
  send: ({ engine, socket }, [sid, ...text]) => {
    engine.clients[sid]?.send(text.join(' '));
    socket.send(engine.clients[sid] ? 'sent' : 'unknown');
  },
  disconnect: ({ engine }, [sid]) => engine.clients[sid]?.close(),
  'disconnect-all': ({ engine }) => {
    for (const client of Object.values(engine.clients)) client.close();
  },
  slow: async ({ socket }, [ms, ...text]) => {
    await sleep(Number(ms));
    socket.send(text.join(' '));
  },
  task: async ({ socket }, [ms, ...text]) => {
    await sleep(Number(ms));
    socket.send(text.join(' '));
  },
  request: ({ socket, request }) => socket.send(JSON.stringify(request)),
};

function describe({ method, url, headers, _query: query }) {
  return { method, url, query, headers, cf: null };
}

function log(logs, event, fields) {
  logs.write(JSON.stringify({ level: 'info', event, ...fields }));
}
