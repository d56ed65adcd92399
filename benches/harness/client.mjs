// Clients that cost the machine little: frames in, frames out. They know as much
// of the protocols as it takes to join the root namespace.

import { once } from 'node:events';
import http from 'node:http';
import { WebSocket } from 'ws';

/** A WebSocket that has heard its handshake. */
export async function openEngine(server, path = '/engine.io/') {
  const url = `ws://127.0.0.1:${server.port}${path}?EIO=4&transport=websocket`;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'message');
  // A server that hears nothing takes its client for dead, and so may one that has
  // sent much.
  socket.on('message', (data) => isPing(data) && socket.send('3'));
  return socket;
}

export const isPing = (data) => data.length === 1 && data[0] === 0x32;

/** The same, and in the root namespace. */
export async function openMember(server, path = '/socket.io/') {
  const socket = await openEngine(server, path);
  socket.send('40');
  await once(socket, 'message');
  return socket;
}

/** Many of them, not all at once: who listens has a queue of finite length. */
export async function openMembers(server, count, path) {
  const members = [];
  while (members.length < count) {
    const batch = Math.min(50, count - members.length);
    members.push(...(await Promise.all(Array.from({ length: batch }, () => openMember(server, path)))));
  }
  return members;
}

/** Sends an event with an acknowledgement asked for, and waits for that. */
export async function ask(member, ...args) {
  member.send(`421${JSON.stringify(args)}`);
  await once(member, 'message');
}

export async function closeAll(sockets) {
  const open = sockets.filter((socket) => socket.readyState !== WebSocket.CLOSED);
  const closed = open.map((socket) => once(socket, 'close'));
  // Not every server answers a close at once, and nobody here waits for it.
  for (const socket of open) socket.terminate();
  await Promise.all(closed);
}

/**
 * Keeps so many questions in flight for a while: how many were answered. `send(n)`
 * sends the n-th, and `isAnswer(data, isBinary)` tells whether a message is an answer.
 */
export function flood(socket, { inFlight, ms, send, isAnswer = () => true }) {
  return new Promise((resolve) => {
    let asked = 0;
    let answered = 0;
    const end = performance.now() + ms;
    const next = () => send((asked += 1));
    const onMessage = (data, isBinary) => {
      if (isPing(data) || !isAnswer(data, isBinary)) return;
      answered += 1;
      if (performance.now() < end) return next();
      if (answered < asked) return;
      socket.off('message', onMessage);
      resolve(answered);
    };
    socket.on('message', onMessage);
    for (let index = 0; index < inFlight; index += 1) next();
  });
}

/** A session by polling, in the root namespace. */
export async function openPolling(server, path = '/socket.io/') {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
  const base = { agent, host: '127.0.0.1', port: server.port };
  const open = await request({ ...base, path: `${path}?EIO=4&transport=polling` });
  const { sid } = JSON.parse(open.slice(1));
  const session = { ...base, path: `${path}?EIO=4&transport=polling&sid=${sid}` };
  const post = (body) => request({ ...session, method: 'POST' }, body);
  const get = () => request(session);
  await post('40');
  await get();
  return { post, get, sid, agent, close: () => post('1').finally(() => agent.destroy()) };
}

/** The same, moved to a WebSocket. */
export async function openUpgraded(server, path = '/socket.io/') {
  const { sid, agent } = await openPolling(server, path);
  agent.destroy();
  const url = `ws://127.0.0.1:${server.port}${path}?EIO=4&transport=websocket&sid=${sid}`;
  const socket = new WebSocket(url, { perMessageDeflate: false });
  await once(socket, 'open');
  socket.send('2probe');
  await once(socket, 'message');
  socket.send('5');
  return socket;
}

function request(options, body) {
  return new Promise((resolve, reject) => {
    const outgoing = http.request(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more) => (text += more));
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`${response.statusCode}: ${text}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}
