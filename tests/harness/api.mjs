// The HTTP API, as any program would use it.

import { createHash, createHmac } from 'node:crypto';
import { decode, encode } from 'notepack.io';
import { startServer } from './server.mjs';

export const secret = 'one secret';
export const oldSecret = 'another secret';

/** Starts the test Worker with secrets for the API. */
export function startWithApi({ worker, ...options } = {}) {
  const bindings = { API_SECRET: secret, API_SECRET_OLD: oldSecret };
  return startServer({ ...options, worker: { bindings, ...worker } });
}

export const bearer = (token = secret) => ({ authorization: `Bearer ${token}` });

/** The API of one of a server's paths: `post` resolves to status, headers and the answer. */
export function apiOf(server, { path = '/io/', headers = bearer() } = {}) {
  const url = (name) => `${server.url}${path}api/v1/${name}`;

  const send = async (name, { method = 'POST', headers: more, body, ...options } = {}) => {
    const type = typeof body === 'string' && { 'content-type': 'application/json' };
    const response = await fetch(url(name), { method, headers: { ...type, ...headers, ...more }, body, ...options });
    const bytes = Buffer.from(await response.arrayBuffer());
    const kind = response.headers.get('content-type');
    const answer = kind === 'application/msgpack' ? decode(bytes) : JSON.parse(bytes.toString() || 'null');
    return { status: response.status, headers: response.headers, answer };
  };

  return {
    url,
    send,
    post: (name, body) => send(name, { body: JSON.stringify(body) }),
    pack: (name, body) => send(name, { headers: { 'content-type': 'application/msgpack' }, body: encode(body) }),
  };
}

/** The headers of a signed request. */
export function signature(key, { time = Math.floor(Date.now() / 1000), method = 'POST', target, body }) {
  const digest = createHash('sha256').update(body).digest('hex');
  const signed = createHmac('sha256', key).update(`${time}\n${method}\n${target}\n${digest}`).digest('hex');
  return { 'x-dormouse-signature': `t=${time},b=${digest},v1=${signed}` };
}
