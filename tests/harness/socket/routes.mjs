// Operations on sockets from another part of the Worker, through the test application's
// routes.

import assert from 'node:assert/strict';
import { fetchRaw } from '../wire/http.mjs';

/** Emits an event. The target is `{ path, namespace, to, except }`: a server, a namespace, rooms. */
export async function emitFromElsewhere(server, target, event, ...args) {
  await request(server, 'emit', { ...target, event }, JSON.stringify(args));
}

/** The same, in all namespaces of a pattern. */
export async function emitToChildrenFromElsewhere(server, target, event, ...args) {
  await request(server, 'emit-children', { ...target, event }, JSON.stringify(args));
}

/** Sends an event to the objects of the target. */
export async function emitToObjectsFromElsewhere(server, target, event, ...args) {
  await request(server, 'server-emit', { ...target, event }, JSON.stringify(args));
}

/** The sockets that are there, as the application lists them: id, rooms and data of each. */
export async function fetchFromElsewhere(server, target) {
  return JSON.parse(await request(server, 'fetch', target));
}

async function request(server, what, query, body) {
  const method = body === undefined ? 'GET' : 'POST';
  const answer = await fetchRaw(server, { method, path: `/io-route/${what}`, query, body });
  assert.equal(answer.status, 200, answer.text);
  return answer.text;
}
