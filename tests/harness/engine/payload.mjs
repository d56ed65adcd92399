// The payloads of both Engine.IO revisions, written from the specification for the
// tests alone. A packet is a string ("4hello") or, for a binary message, its bytes.

const SEPARATOR = '\x1e';

export function encode(revision, packets) {
  if (revision === 4) {
    return packets
      .map((packet) => (typeof packet === 'string' ? packet : `b${packet.toString('base64')}`))
      .join(SEPARATOR);
  }
  return packets
    .map((packet) => (typeof packet === 'string' ? packet : `b4${packet.toString('base64')}`))
    .map((packet) => `${packet.length}:${packet}`)
    .join('');
}

/** Revision 3's binary payload, which an answer with a binary packet has. */
export function encodeBinary(packets) {
  return Buffer.concat(packets.flatMap(encodeBinaryPacket));
}

function encodeBinaryPacket(packet) {
  const isText = typeof packet === 'string';
  const data = isText ? Buffer.from(packet) : Buffer.concat([Buffer.of(4), packet]);
  const digits = [...String(data.length)].map(Number);
  return [Buffer.of(isText ? 0 : 1, ...digits, 0xff), data];
}

/** The packets of an answer, whatever its form. */
export function decode(revision, answer) {
  if (answer.headers['content-type'] === 'application/octet-stream') {
    return decodeBinary(answer.body);
  }
  const packets = revision === 4 ? answer.text.split(SEPARATOR) : splitLengths(answer.text);
  return packets.map((packet) => {
    if (packet[0] !== 'b') return packet;
    return Buffer.from(packet.slice(revision === 4 ? 1 : 2), 'base64');
  });
}

function splitLengths(text) {
  const packets = [];
  for (let rest = text; rest !== ''; ) {
    const colon = rest.indexOf(':');
    const end = colon + 1 + Number(rest.slice(0, colon));
    if (!(colon > 0) || !(end <= rest.length)) throw new Error(`no payload: ${text}`);
    packets.push(rest.slice(colon + 1, end));
    rest = rest.slice(end);
  }
  return packets;
}

function decodeBinary(body) {
  const packets = [];
  for (let rest = body; rest.length > 0; ) {
    const end = rest.indexOf(0xff);
    const length = Number([...rest.subarray(1, end)].join(''));
    const data = rest.subarray(end + 1, end + 1 + length);
    packets.push(rest[0] === 0 ? data.toString() : data.subarray(1));
    rest = rest.subarray(end + 1 + length);
  }
  return packets;
}
