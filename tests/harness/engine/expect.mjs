// Assertions on Engine.IO sessions and error answers that many tests share.

import assert from 'node:assert/strict';

const MESSAGES = [
  'Transport unknown',
  'Session ID unknown',
  'Bad handshake method',
  'Bad request',
  'Forbidden',
  'Unsupported protocol version',
];

/** The error answer of the protocol: a JSON body with a number for its code. */
export function assertError(answer, code, message = MESSAGES[code]) {
  assert.equal(answer.text, JSON.stringify({ code, message }));
  assert.equal(answer.status, code === 4 ? 403 : 400);
  assert.equal(answer.headers['content-type'], 'application/json');
}

/** The session is gone: the next request for it is refused, and politely. */
export async function assertClosed(session) {
  assertError(await session.get(), 1);
}

/** The session lives: what it sends comes back. */
export async function assertAlive(session) {
  await session.echo(`alive ${session.sid.slice(-6)}`);
}

/** The session over WebSocket lives: the message that it sends comes back next. */
export async function assertEchoes(peer, frame = '4hello') {
  peer.send(frame);
  assert.equal(await peer.next(), frame);
}
