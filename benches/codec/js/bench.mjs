// The JavaScript parsers, as servers on Node use them. Prints a list of `{ name,
// peer_name, peer }`, nanoseconds each; the names are those of the benchmarks of
// which they are the counterpart. These parsers read and write the arguments too.

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ascii, attachment, inputs, messages, unicode, users } from './inputs.mjs';

const quick = process.argv.includes('--quick');
const ROUNDS = quick ? 5 : 11;
const ROUND_MS = quick ? 5 : 15;

const modules = new URL('../../../node_modules/', import.meta.url);
const results = [];

/** A parser as one of our dependencies has it, with its name and version. */
function parser(name, user) {
  const require = createRequire(new URL(`${user}/package.json`, modules));
  const version = versionOf(name, path.dirname(require.resolve(name)));
  return { parser: require(name), peer_name: `${name} ${version} on Node ${process.versions.node}` };
}

/** The version in the package's own package.json, which it need not export. */
function versionOf(name, directory) {
  const file = path.join(directory, 'package.json');
  const found = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  return found.name === name && found.version ? found.version : versionOf(name, path.dirname(directory));
}

/** What was seen, so that nothing can be left out. */
let seen = 0;

function measure(name, peer_name, run) {
  const round = (times) => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < times; i++) seen += run();
    return Number(process.hrtime.bigint() - start) / times;
  };
  // The first of it is the compiler's time.
  for (const until = performance.now() + 3 * ROUND_MS; performance.now() < until; ) round(16);
  let times = 16;
  while (round(times) * times < ROUND_MS * 1e6) times *= 2;
  const rounds = Array.from({ length: ROUNDS }, () => round(times));
  rounds.sort((one, other) => one - other);
  results.push({ name, peer_name, peer: rounds[ROUNDS >> 1] });
}

const size = (data) => data?.length ?? data?.byteLength ?? 0;

function engineV4({ parser, peer_name }) {
  const decode = (frame) => size(parser.decodePacket(frame, 'nodebuffer').data);
  const encode = (data) => {
    let length = 0;
    parser.encodePacket({ type: 'message', data }, false, (frame) => (length = frame.length));
    return length;
  };
  packets('v4', peer_name, decode, encode, (bytes) => `b${bytes.toString('base64')}`);
  payloads('v4', peer_name, {
    decode: (body) => parser.decodePayload(body, 'nodebuffer').reduce((sum, { data }) => sum + size(data), 0),
    encode(packets) {
      let body;
      parser.encodePayload(packets, (encoded) => (body = encoded));
      return body;
    },
  });
}

function engineV3({ parser, peer_name }) {
  const decode = (frame) => size(parser.decodePacket(frame, 'nodebuffer', false).data);
  const encode = (data) => {
    let length = 0;
    parser.encodePacket({ type: 'message', data }, false, false, (frame) => (length = frame.length));
    return length;
  };
  packets('v3', peer_name, decode, encode, (bytes) => `b4${bytes.toString('base64')}`);
  const form = (binary) => ({
    decode(body) {
      let sum = 0;
      parser.decodePayload(body, 'nodebuffer', ({ data }) => void (sum += size(data)));
      return sum;
    },
    encode(packets) {
      let body;
      parser.encodePayload(packets, binary, (encoded) => (body = encoded));
      return body;
    },
  });
  payloads('v3', peer_name, form(false));
  const most = Math.max(...inputs.payloads);
  payload(`payload v3 binary × ${most}`, peer_name, form(true), messages(most, inputs.greeting, true));
}

function packets(label, peer_name, decode, encode, base64) {
  for (const [name, text] of [
    ['text', JSON.stringify(['message', inputs.greeting])],
    ['text 10 KB', JSON.stringify(['message', ascii])],
  ]) {
    measure(`engine ${label} ${name}: decode`, peer_name, () => decode(`42${text}`));
    measure(`engine ${label} ${name}: encode`, peer_name, () => encode(`2${text}`));
  }
  for (const [name, bytes] of [
    ['base64', attachment],
    ['base64 1 KB', Buffer.concat(Array(16).fill(attachment))],
  ]) {
    const frame = base64(bytes);
    measure(`engine ${label} ${name}: decode`, peer_name, () => decode(frame));
    measure(`engine ${label} ${name}: encode`, peer_name, () => encode(bytes));
  }
}

function payloads(label, peer_name, form) {
  const { greeting } = inputs;
  for (const count of inputs.payloads) {
    payload(`payload ${label} text × ${count}`, peer_name, form, messages(count, greeting));
  }
  const most = Math.max(...inputs.payloads);
  payload(`payload ${label} unicode × ${most}`, peer_name, form, messages(most, inputs.unicode));
  const mixed = messages(most, greeting, true);
  payload(`payload ${label} text and base64 × ${most}`, peer_name, form, mixed);
}

function payload(name, peer_name, { decode, encode }, packets) {
  const body = encode(packets);
  measure(`${name}: decode`, peer_name, () => decode(body));
  measure(`${name}: encode`, peer_name, () => encode(packets).length);
}

function socket({ parser, peer_name }, engine) {
  const { Decoder, Encoder, PacketType } = parser;
  const encoder = new Encoder();
  const decoder = new Decoder();
  let decoded;
  decoder.on('decoded', (packet) => (decoded = packet));
  const decode = (parts) => {
    for (const part of parts) decoder.add(part);
    return decoded.data.length ?? 1;
  };
  const encode = (packet) => {
    let length = 0;
    for (const data of encoder.encode(packet)) {
      engine.encodePacket({ type: 'message', data }, true, (frame) => (length += frame.length));
    }
    return length;
  };
  const both = (name, packet) => {
    const parts = encoder.encode(packet);
    measure(`socket ${name}: decode with arguments`, peer_name, () => decode(parts));
    measure(`socket ${name}: encode with arguments`, peer_name, () => encode(packet));
  };
  const event = (...data) => ({ type: PacketType.EVENT, nsp: '/', data });
  both('event', event('message', inputs.greeting));
  both('event, namespace and ack', {
    ...event('move', inputs.room, inputs.user),
    nsp: inputs.namespace,
    id: inputs.ack,
  });
  both('event, 10 KB of ASCII', event('message', ascii));
  both('event, 10 KB of Unicode', event('message', unicode));
  both('event, 10 KB of objects', event('users', inputs.room, users));
  both('binary event, 1 attachment', event('photo', inputs.room, attachment));
  both('binary event, 3 attachments', event('photo', inputs.room, attachment, attachment, attachment));
  const ack = encoder.encode({
    type: PacketType.ACK,
    nsp: inputs.namespace,
    id: inputs.ack,
    data: [inputs.room, inputs.user],
  });
  measure('socket ack: decode with arguments', peer_name, () => decode(ack));
  const connect = encoder.encode({ type: PacketType.CONNECT, nsp: inputs.namespace, data: inputs.auth });
  measure('socket connect: decode with auth', peer_name, () => decode(connect));
}

const engine4 = parser('engine.io-parser', 'engine.io-client');
engineV4(engine4);
engineV3(parser('engine.io-parser', 'engine.io-client-3'));
socket(parser('socket.io-parser', 'socket.io-client'), engine4.parser);
if (seen === 0) throw new Error('nothing was seen');
console.log(JSON.stringify(results));
