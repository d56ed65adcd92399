// Packets of Socket.IO, written from the protocol.

const PACKET = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),)?(\d*)(.*)$/s;
export const CONNECT = 0;
export const DISCONNECT = 1;
export const EVENT = 2;
export const ACK = 3;
export const CONNECT_ERROR = 4;
const BINARY = 3;

/** A packet as its messages: the text, and the attachments that follow it. */
export function encodePacket(type, { namespace = '/', id = '', data }) {
  const attachments = [];
  const json = data === undefined ? '' : JSON.stringify(takeOut(data, attachments));
  const head = attachments.length > 0 ? `${type + BINARY}${attachments.length}-` : `${type}`;
  return [`${head}${namespace === '/' ? '' : `${namespace},`}${id}${json}`, ...attachments];
}

function takeOut(value, attachments) {
  if (Buffer.isBuffer(value)) return { _placeholder: true, num: attachments.push(value) - 1 };
  if (Array.isArray(value)) return value.map((item) => takeOut(item, attachments));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, takeOut(item, attachments)]));
}

function putBack(value, attachments) {
  if (Array.isArray(value)) return value.map((item) => putBack(item, attachments));
  if (value === null || typeof value !== 'object') return value;
  if (value._placeholder === true) {
    if (!attachments[value.num]) throw new Error(`no attachment ${value.num}`);
    return attachments[value.num];
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, putBack(item, attachments)]));
}

/** Puts messages together again; what breaks the protocol throws. */
export class Decoder {
  #pending;

  /** The packet that this message completes, if it does: `{ type, namespace, id, data }`. */
  add(message) {
    if (typeof message !== 'string') return this.#addAttachment(message);
    if (this.#pending) throw new Error(`a text where an attachment was due: ${message}`);
    const [, digit, count, namespace = '/', id, json] = PACKET.exec(message) ?? fail(message);
    const isBinary = Number(digit) > CONNECT_ERROR;
    const packet = {
      type: Number(digit) - (isBinary ? BINARY : 0),
      namespace,
      id: id === '' ? undefined : Number(id),
      data: json === '' ? undefined : JSON.parse(json),
    };
    if (!isBinary) return packet;
    this.#pending = { packet, count: Number(count), attachments: [] };
    return this.#complete();
  }

  #addAttachment(bytes) {
    if (!this.#pending) throw new Error('an attachment that nothing announced');
    this.#pending.attachments.push(bytes);
    return this.#complete();
  }

  #complete() {
    const { packet, count, attachments } = this.#pending;
    if (attachments.length < count) return undefined;
    this.#pending = undefined;
    return { ...packet, data: putBack(packet.data, attachments) };
  }
}

function fail(message) {
  throw new Error(`no packet: ${message}`);
}
