// The Socket.IO application under test, written for the reference server;
// socket-servers.mjs says what each namespace and event does. The same one in
// Rust is tests/worker; the two must not differ in what a client can see.

import { setTimeout as sleep } from 'node:timers/promises';

const ACK_TIMEOUT = 10_000;

/** Gives one `socket.io` server the test application. */
export function attachSocketApplication(io, logs, { recovers }) {
  const greets = (socket) =>
    recovers
      ? socket.emit('welcome', { recovered: socket.recovered })
      : socket.emit('auth', socket.handshake.auth);
  const connects = (greet) => (socket) => {
    const tell = connect(socket, logs);
    attempt(() => greet?.(socket), 'greeting', tell);
  };
  io.on('connection', connects(greets));
  io.of('/custom').on('connection', connects(greets));
  io.of('/chat').on('connection', connects());
  io.of('/refuse').use(guard).on('connection', connects());
  io.of('/slow')
    .use(({ handshake }, next) => setTimeout(next, handshake.auth.delay ?? 100))
    .on('connection', connects());
  io.of('/headers').on('connection', (socket) => {
    connects()(socket);
    socket.emit('headers', socket.handshake.headers, socket.handshake.query);
  });
  io.of('/guarded')
    .use(guardAsTold)
    .use(({ handshake: { auth } }, next) => {
      logs.write(JSON.stringify({ event: 'guarded', name: auth.name ?? null }));
      next();
    })
    .on('connection', connects());
  io.of('/greeting').on('connection', connects(greet));
  io.children = io.of(/^\/dynamic-[^/]+$/).on('connection', connects());
  io.on('new_namespace', ({ name }) => {
    for (const event of ['new namespace', 'namespace opened']) {
      logs.write(JSON.stringify({ event, namespace: name }));
    }
  });
  io.of((name, { delay, guard: what }, next) => {
    if (!name.startsWith('/later/')) return next(null, false);
    logs.write(JSON.stringify({ event: 'asked', name: name.slice('/later/'.length) }));
    return setTimeout(next, delay ?? 50, what === 'fail' ? new Error('out of order') : null, what !== 'refuse');
  }).on('connection', connects());
  io.of((name, auth, next) => next(null, isOwnTenant(name, auth)))
    // The server asks only for the first client of a namespace.
    .use((socket, next) => {
      const isOwn = isOwnTenant(socket.nsp.name, socket.handshake.auth);
      next(isOwn ? undefined : new Error('Invalid namespace'));
    })
    .on('connection', connects());
}

function isOwnTenant(name, auth) {
  return typeof auth.tenant === 'string' && name === `/tenant/${auth.tenant}`;
}

function guard({ handshake: { auth } }, next) {
  if (auth.token === 'good') return next();
  const refusal = new Error('not authorized');
  if (auth.data !== undefined) refusal.data = { content: 'Please retry later' };
  return next(refusal);
}

async function guardAsTold(socket, next) {
  const { guard: what = '', delay } = socket.handshake.auth;
  if (delay) await sleep(delay);
  if (what === 'close') socket.disconnect(true);
  else if (what.startsWith('disconnect')) socket.disconnect();
  next(what.endsWith('refuse') ? new Error('not today') : undefined);
}

async function greet(socket) {
  switch (socket.handshake.auth.greet) {
    case 'disconnect':
    case 'close':
      socket.emit('bye', 1);
      socket.disconnect(socket.handshake.auth.greet === 'close');
      break;
    case 'ask':
      socket.emit('answered', await socket.emitWithAck('question', 1));
      break;
    case 'ask all':
      socket.emit('answered', await socket.nsp.to(socket.id).timeout(5_000).emitWithAck('question', 1));
      break;
    case 'ask and refuse':
      if ((await socket.emitWithAck('question', 1)) !== 'yes') socket.disconnect();
      break;
  }
}

async function arrive(room) {
  room.emit('arrived', list(await room.fetchSockets()));
}

function connect(socket, logs) {
  const { id, recovered } = socket;
  const { name, rooms, announce } = socket.handshake.auth;
  if (!recovered) {
    socket.data = { name: name ?? null };
    if (Array.isArray(rooms)) socket.join(rooms);
  }
  const tell = (event, fields) => logs.write(JSON.stringify({ event, socket: id, ...fields }));
  tell('connected', { namespace: socket.nsp.name, recovered, name: name ?? null });
  if (announce !== undefined) attempt(() => arrive(socket.nsp.to(announce)), 'arrival', tell);
  socket.on('disconnecting', (reason) => tell('disconnecting', { rooms: roomsOf(socket), reason }));
  socket.on('disconnect', (reason) => tell('disconnected', { reason }));

  socket.use(([event], next) => next(event === 'blocked' ? new Error('blocked') : undefined));
  for (const [event, handle] of Object.entries(handlers)) {
    socket.on(event, (...args) => {
      const ack = takeAck(args);
      return attempt(() => handle(socket, args, ack), event, tell);
    });
  }
  socket.onAny((event, ...args) => {
    if (Object.hasOwn(handlers, event) || event === 'blocked') return;
    takeAck(args);
    // As late as a handler of its own would be called, so that order is kept.
    const emit = () => socket.connected && socket.emit('any', event, ...args);
    process.nextTick(attempt, emit, event, tell);
  });
  return tell;
}

/** What fails is told in the log, and would end this process otherwise. */
async function attempt(run, event, tell) {
  try {
    await run();
  } catch (error) {
    tell(event, { level: 'error', error: String(error) });
  }
}

/** Takes the acknowledgement off the arguments: a function that does nothing if none is asked for. */
function takeAck(args) {
  return typeof args.at(-1) === 'function' ? args.pop() : () => {};
}

const handlers = {
  message: (socket, args) => socket.emit('message-back', ...args),
  'message-with-ack': (_, args, ack) => ack(...args),
  'echo-nothing': (_socket, _args, ack) => ack(),
  typed: (_, [text, number], ack) => ack(`${text}:${number}`),
  who: (socket, _, ack) => ack(socket.id, socket.nsp.name),

  'emit-with-ack': (socket, args) => {
    socket.emit('emit-with-ack', ...args, (...values) => socket.emit('emit-with-ack', ...values));
  },
  ask: (socket, [ms, ...args], ack) => {
    const gone = () => ack('gone');
    socket.once('disconnect', gone);
    socket.timeout(ms).emit('question', ...args, (late, ...values) => {
      socket.off('disconnect', gone);
      if (late) ack('timeout');
      else ack('answer', ...values);
    });
  },

  join: (socket, [rooms], ack) => {
    socket.join(rooms);
    ack(roomsOf(socket));
  },
  leave: (socket, [room], ack) => {
    socket.leave(room);
    ack(roomsOf(socket));
  },
  rooms: (socket, _, ack) => ack(roomsOf(socket)),

  cast: async (socket, [operators, event, ...args], ack) => {
    const target = targetOf(socket, operators);
    if (!operators.ack) {
      target.emit(event, ...args);
      return ack('ok');
    }
    const asked = operators.timeout === undefined ? target.timeout(ACK_TIMEOUT) : target;
    try {
      return ack('ok', sorted(await asked.emitWithAck(event, ...args)));
    } catch (error) {
      return ack('timeout', sorted(error.responses));
    }
  },
  'cast-children': (socket, [{ to = [], except = [] }, event, ...args], ack) => {
    socket.nsp.server.children.to(to).except(except).emit(event, ...args);
    ack('ok');
  },
  direct: (socket, [id, event, ...args], ack) => {
    socket.nsp.to(id).emit(event, ...args);
    ack('ok');
  },
  fetch: async (socket, [operators], ack) => {
    ack(list(await targetOf(socket, operators).fetchSockets()));
  },
  'make-join': (socket, [operators, room], ack) => {
    targetOf(socket, operators).socketsJoin(room);
    ack('ok');
  },
  'make-leave': (socket, [operators, room], ack) => {
    targetOf(socket, operators).socketsLeave(room);
    ack('ok');
  },
  'make-disconnect': (socket, [operators, close], ack) => {
    targetOf(socket, operators).disconnectSockets(close === true);
    ack('ok');
  },
  within: (socket, [room], ack) => {
    socket.in(room).emit('within', 'socket');
    socket.nsp.in(room).emit('within', 'io');
    socket.nsp.to([]).in(room).emit('within', 'broadcast');
    ack('ok');
  },
  'close-room': (socket, [room], ack) => {
    socket.nsp.in(room).socketsLeave(room);
    ack('ok');
  },

  'set-data': (socket, [value], ack) => {
    socket.data = value;
    ack('ok');
  },
  'get-data': (socket, _, ack) => ack(socket.data),
  handshake: ({ handshake }, _, ack) => ack(handshake),
  auth: ({ handshake }, _, ack) => ack(handshake.auth),
  auths: async ({ nsp }, _, ack) => {
    const sockets = await nsp.fetchSockets();
    ack(sockets.map(({ id, handshake }) => [id, handshake.auth]));
  },

  fail: (_, [text]) => {
    throw new Error(text);
  },
  slow: async (_, [ms, value], ack) => {
    await sleep(ms);
    ack(value);
  },
  later: async (socket, [ms, ...args]) => {
    await sleep(ms);
    if (socket.connected) socket.emit('later', ...args);
  },
  burst: (socket, [count]) => {
    for (let index = 0; index < count; index += 1) socket.emit('n', index);
  },
  big: (socket, [size]) => socket.emit('big', 'x'.repeat(size)),
  'big-binary': (socket, [size]) => socket.emit('big-binary', Buffer.alloc(size, 0x2a)),
  'beside-bytes': (socket, [value], ack) => {
    socket.emit('beside-bytes', value, Buffer.of(1, 2, 3));
    ack(value, Buffer.of(1, 2, 3));
  },
  'leave-me': (socket, [close]) => socket.disconnect(close === true),
};

function targetOf(socket, operators) {
  const { from, to = [], in: within = [], except = [], timeout, compress } = operators;
  const base = from === 'server' ? socket.nsp.to([]) : socket.broadcast;
  let target = base.to(to).in(within).except(except);
  if (operators.local) target = target.local;
  if (operators.volatile) target = target.volatile;
  if (compress !== undefined) target = target.compress(compress);
  if (timeout !== undefined) target = target.timeout(timeout);
  return target;
}

function roomsOf({ id, rooms }) {
  return [...rooms].filter((room) => room !== id).sort();
}

/** What is told of sockets that were fetched. */
export function list(sockets) {
  return sorted(sockets.map((socket) => [socket.id, roomsOf(socket), socket.data]));
}

function sorted(values) {
  const text = (value) => JSON.stringify(value) ?? '';
  return values.toSorted((one, other) => (text(one) < text(other) ? -1 : 1));
}
