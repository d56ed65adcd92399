// A WebSocket without a client library of the protocol: frames in, frames out.

import WebSocket from 'ws';
import { isCompressed } from '../target.mjs';
import { Queue, within } from '#dormouse-test/wait.mjs';

/**
 * Opens a WebSocket; fails with the HTTP answer where the server refuses. `compresses`: it
 * offers permessage-deflate.
 */
export async function openWebSocket(server, options = {}) {
  const { path = '/sleepy/', query = {}, headers, protocols = [], compresses = isCompressed } = options;
  const given = Object.entries({ transport: 'websocket', ...query }).filter(([, v]) => v !== undefined);
  const url = `${server.wsUrl}${path}?${new URLSearchParams(given)}`;
  const peer = new Peer(new WebSocket(url, protocols, { headers, perMessageDeflate: compresses }));
  await within(peer.opened, 'opened WebSocket');
  return peer;
}

/** The HTTP answer that a WebSocket request gets instead of a 101. */
export async function refusedWebSocket(server, options) {
  try {
    const peer = await openWebSocket(server, options);
    peer.destroy();
  } catch (error) {
    if (error.answer) return error.answer;
    throw error;
  }
  throw new Error('the server accepted a WebSocket that it should have refused');
}

class Peer {
  #frames = new Queue();

  constructor(socket) {
    this.socket = socket;
    this.opened = new Promise((resolve, reject) => {
      socket.on('open', resolve);
      socket.on('error', reject);
      socket.on('unexpected-response', (_, response) => refuse(response, reject));
    });
    this.opened.catch(() => {});
    socket.on('message', (data, isBinary) => this.#frames.push(isBinary ? data : data.toString()));
    this.closed = new Promise((resolve) => {
      const end = (code, reason) => {
        this.#frames.close(new Error(`the WebSocket is closed (${code})`));
        resolve({ code, reason: String(reason) });
      };
      // workerd keeps the TCP connection open after its close frame, and `ws`
      // reports 'close' only with that; the frame itself is what counts here.
      socket.on('open', () => socket._receiver.on('conclude', end));
      socket.on('close', end);
    });
  }

  /** The next frame: a string, or a Buffer where it is binary. */
  next(what = 'WebSocket frame', ms) {
    return this.#frames.next(what, ms);
  }

  send(frame) {
    this.socket.send(frame);
  }

  /** Frames that came and nobody took. */
  get pending() {
    return this.#frames.pending;
  }

  end(what = 'end of the WebSocket', ms) {
    return within(this.closed, what, ms);
  }

  close() {
    this.socket.close();
  }

  destroy() {
    this.socket.terminate();
  }
}

function refuse(response, reject) {
  const chunks = [];
  response.on('data', (chunk) => chunks.push(chunk));
  response.on('end', () => {
    const body = Buffer.concat(chunks);
    const answer = {
      status: response.statusCode,
      headers: response.headers,
      body,
      text: body.toString(),
    };
    reject(Object.assign(new Error(`refused with ${answer.status} ${answer.text}`), { answer }));
  });
}
