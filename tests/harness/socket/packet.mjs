// Socket.IO packets, written from the specification for the tests alone. Each is one
// string (without Engine.IO's `4` before it) and a Buffer for each of its attachments.

import assert from 'node:assert/strict';

const PACKET = /^(\d)(?:(\d+)-)?(?:(\/[^,]*),)?(\d*)(.*)$/s;

/** A packet as its messages: the text, and the attachments that follow it. */
export function encodePacket(type, { namespace = '/', id = '', data }) {
  const attachments = [];
  const json = data === undefined ? '' : JSON.stringify(withPlaceholders(data, attachments));
  const isBinary = attachments.length > 0;
  const head = isBinary ? `${type + 3}${attachments.length}-` : `${type}`;
  return [`${head}${namespace === '/' ? '' : `${namespace},`}${id}${json}`, ...attachments];
}

function withPlaceholders(value, attachments) {
  if (Buffer.isBuffer(value)) {
    return { _placeholder: true, num: attachments.push(value) - 1 };
  }
  if (Array.isArray(value)) return value.map((item) => withPlaceholders(item, attachments));
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, item]) => [key, withPlaceholders(item, attachments)]));
}

/** The fields of a packet's text; so many `attachments` are still to come. */
export function decodeText(text) {
  const match = PACKET.exec(text) ?? assert.fail(`not a packet: ${shorten(text)}`);
  const [, type, attachments = 0, namespace = '/', id, json] = match;
  const fields = { namespace, id: id === '' ? undefined : Number(id), json };
  return { type: Number(type), attachments: Number(attachments), ...fields };
}

/** The data of a packet, with the attachments in place of their placeholders. */
export function decodeData(json, attachments) {
  return json === '' ? undefined : fill(JSON.parse(json), attachments);
}

function fill(value, attachments) {
  if (Array.isArray(value)) return value.map((item) => fill(item, attachments));
  if (value === null || typeof value !== 'object') return value;
  if (value._placeholder === true && attachments.length > 0) {
    assert.ok(attachments[value.num], `no attachment ${value.num}`);
    return attachments[value.num];
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fill(item, attachments)]));
}

/** A message for the text of a failed assertion. */
export function shorten(message) {
  const text = typeof message === 'string' ? message : `of ${message.length} bytes`;
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
