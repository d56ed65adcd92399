// The server's end of a WebSocket. What JavaScript holds of it is lost when the
// object sleeps; the connection, its tags and its attachment are not.

import { serialize } from 'node:v8';

/** The platform's bound for an attachment, as it is serialized. */
const ATTACHMENT = 16_384;

export class Pair {
  constructor(request, response) {
    this.request = request;
    this.response = response;
  }
}

/** What `new WebSocketPair()` gives: the client's end, and ours. */
export function socketPair(platform) {
  const link = new Link(platform);
  return { 0: link, 1: link.server() };
}

/** A connection between the platform and a client. */
export class Link {
  #server;
  /** Of the object that has accepted it. */
  object;
  isHibernating = false;
  tags = [];
  attachment;
  answeredAt = null;
  /** We have said that we close. */
  closing = false;
  /** The other side has closed, or is gone. */
  ended = false;
  #client;
  #early = [];

  constructor(platform) {
    this.platform = platform;
  }

  server() {
    this.#server ??= new ServerSocket(this);
    return this.#server;
  }

  /** The object sleeps: what it held of this is nobody's. */
  forgetServer() {
    this.#server = undefined;
  }

  /** The client's end is in the client's hands. */
  connect(client) {
    this.#client = client;
    for (const frame of this.#early.splice(0)) client.receive(frame);
  }

  /** A frame or a close leaves the platform. */
  emit(frame) {
    if (this.#client) this.#client.receive(frame);
    else this.#early.push(frame);
  }

  /** The platform drops the connection. */
  drop() {
    this.ended = true;
    this.emit({ close: 1006 });
  }
}

export class ServerSocket {
  #link;
  #listeners = [];
  binaryType = 'blob';

  constructor(link) {
    this.#link = link;
  }

  static linkOf(socket) {
    return socket.#link;
  }

  get readyState() {
    return this.#link.ended ? 3 : this.#link.closing ? 2 : 1;
  }

  accept() {
    this.#link.platform.acceptAwake(this.#link);
  }

  addEventListener(type, listener) {
    this.#listeners.push({ type, listener });
  }

  dispatch(type, fields) {
    for (const entry of this.#listeners) {
      if (entry.type !== type) continue;
      const event = { type, target: this, ...fields };
      if (typeof entry.listener === 'function') entry.listener(event);
      else entry.listener.handleEvent(event);
    }
  }

  send(data) {
    if (this.#link.closing) throw new TypeError("Can't call WebSocket send() after close().");
    this.#link.platform.output(this.#link.object, () => {
      if (this.#link.ended) return;
      // Bytes are read when they leave, and not before.
      this.#link.emit({ data: typeof data === 'string' ? data : Buffer.from(data) });
    });
  }

  close(code = 1000) {
    if (
      code !== 1000 &&
      !(code >= 1001 && code <= 1014 && ![1004, 1005, 1006].includes(code)) &&
      !(code >= 3000 && code <= 4999)
    ) {
      throw new TypeError(`Invalid WebSocket close code: ${code}.`);
    }
    if (this.#link.closing) return;
    this.#link.closing = true;
    this.#link.platform.output(this.#link.object, () => {
      if (!this.#link.ended) this.#link.emit({ close: code });
    });
  }

  serializeAttachment(value) {
    const bytes = serialize(value);
    if (bytes.length > ATTACHMENT) {
      this.#link.platform.violation(`an attachment of ${bytes.length} bytes`);
      throw new Error('A Websocket serialized attachment exceeds 16384 bytes.');
    }
    this.#link.attachment = Uint8Array.from(value);
  }

  deserializeAttachment() {
    return this.#link.attachment === undefined ? null : Uint8Array.from(this.#link.attachment);
  }
}
