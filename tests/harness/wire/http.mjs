// HTTP without a client library: what goes over the wire is what the test says.

import http from 'node:http';
import net from 'node:net';
import { within } from '#dormouse-test/wait.mjs';

/**
 * One request on a connection of its own.
 * `query` is an object or a ready query string; `url` overrides path and query.
 * `isUnfinished`: more of the body is to come; `patience`: in milliseconds, for an answer
 * that is held.
 */
export function send(server, { method = 'GET', url, path, query, headers = {}, body, isUnfinished = false, patience }) {
  const settled = Promise.withResolvers();
  const request = http.request(
    {
      host: server.host,
      port: server.port,
      method,
      path: url ?? path + queryString(query),
      headers,
      agent: false,
    },
    (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('error', settled.reject);
      response.on('end', () => settled.resolve(answer(response, Buffer.concat(chunks))));
    },
  );
  request.on('error', settled.reject);
  request.on('upgrade', (response, socket) => {
    socket.destroy();
    settled.resolve(answer(response, Buffer.alloc(0)));
  });
  if (isUnfinished) request.write(body);
  else request.end(body);
  const response = within(settled.promise, `answer to ${method} ${path ?? url}`, patience);
  // A request that a test abandons must not become an unhandled rejection.
  response.catch(() => {});
  return { request, response };
}

export function fetchRaw(server, options) {
  return send(server, options).response;
}

/** Drops the connection as a client that vanished: with a reset, at once. */
export function drop({ request }) {
  request.socket.resetAndDestroy();
}

function answer({ statusCode, headers }, body) {
  return { status: statusCode, headers, body, text: body.toString('utf8') };
}

function queryString(query = {}) {
  if (typeof query === 'string') return `?${query}`;
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return `?${new URLSearchParams(given)}`;
}

/** Bytes straight onto a TCP connection; what comes back until it is closed. */
export function sendBytes(server, bytes) {
  const answered = new Promise((resolve, reject) => {
    const chunks = [];
    const socket = net.connect(server.port, server.host, () => socket.write(bytes));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
  });
  return within(answered, 'end of the raw connection');
}
