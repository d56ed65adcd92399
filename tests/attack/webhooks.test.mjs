// Clients that make the gateway's back end work, wait and answer without end. What counts
// besides is what the back end is asked, and whether the object could sleep. The attackers
// share an address, and the others have one of their own.

import { after, describe } from 'node:test';
import assert from 'node:assert/strict';
import { BackEnd, secret } from '../harness/gateway.mjs';
import { startMetered } from '../harness/meter/metered.mjs';
import { openMember } from '../harness/socket/client.mjs';
import { LARGE, MiB, attacks } from './field.mjs';

const backEnd = await BackEnd.start();
after(() => backEnd.stop());

const namespace = '/chat';
const path = '/socket.io/';
const from = (address) => ({ headers: { 'cf-connecting-ip': address } });
const ATTACKER = from('198.51.100.66');
/** What the others ask meanwhile. */
const OTHERS = { count: 2, event: 'honest' };
/** The limits of docs/webhooks.md: of what is in flight for an address, and of time. */
const IN_FLIGHT = 5;
const TIME_LIMIT = 10_000;
/** Failures in a row after which an address is not called for. */
const FAILURES = 5;
/** The joins of one client at one moment, by the default `rate_limit`. */
const JOINS = 200;

let asked = 0;

const start = (options) =>
  startMetered({
    ...options,
    build: 'examples/gateway/build',
    variables: { WEBHOOK_URL: backEnd.url, WEBHOOK_SECRET: secret, NAMESPACES: [namespace], ORIGINS: '*', LOG: 'info', ...options.variables },
  });

/** Two whose events the back end handles, whatever it does for others. */
async function openOthers(server, options) {
  backEnd.handlers = {};
  const addresses = Array.from({ length: OTHERS.count }, (_, index) => from(`192.0.2.${index + 1}`));
  const members = await Promise.all(addresses.map((address) => openMember(server, { ...options, ...address, namespace })));
  return {
    async check() {
      for (const member of members) {
        const text = `bystander ${(asked += 1)}`;
        assert.deepEqual(await member.ask(OTHERS.event, text), [text]);
      }
    },
    leave: () => Promise.all(members.map(({ client }) => client.close())),
  };
}

/** The back end does this for an attacker's calls of this type, and serves the others. */
function answers(type, act) {
  const serve = ({ event, args }) => (event === OTHERS.event ? { ack: args } : act());
  backEnd.handlers = { [type]: serve, event: type === 'event' ? serve : ({ args }) => ({ ack: args }) };
}

const never = () => new Promise(() => {});
const enter = (field, more) => field.member({ ...ATTACKER, ...more, namespace });
const send = ({ client, prefix }, count, data = '"x"') => {
  for (let sent = 0; sent < count; sent += 1) client.peer.send(`42${prefix}${sent}["attack",${data}]`);
};
/** The clients' acknowledgements, which say all the same. */
async function hear(member, count, expect) {
  for (let heard = 0; heard < count; heard += 1) {
    const answer = await member.client.next('acknowledgement', 60_000);
    assert.match(answer, expect);
  }
}
const UNAVAILABLE = /service unavailable/;

const ordinary = attacks({ start, openOthers });
const attack = (name, may, act) => ordinary(name, { path, may }, act);

describe('a back end that never answers an attacker', { concurrency: 1 }, () => {
  // The others ask twice.
  const hung = { fetched: IN_FLIGHT + 2 * OTHERS.count, awake: 0 };
  attack('40 events of each of 8 clients: 5 calls, and the object sleeps after 10 s', hung, async (field) => {
    const members = await field.many(8, () => enter(field));
    answers('event', never);
    await field.begin();
    for (const member of members) send(member, 40);
    await field.arrived(320, []);
    await field.until(({ fetched }) => fetched >= IN_FLIGHT);
    // The others are served while the calls are in flight.
    await field.others.check();
    await field.pass(TIME_LIMIT);
    for (const member of members) await hear(member, 40, UNAVAILABLE);
    await field.until(({ awake }) => awake === 0);
  });

  const circuit = { fetched: FAILURES + 2 * OTHERS.count, awake: 0 };
  attack('5 events, and 1,000 more after they have failed: no call, and the others are called for', circuit, async (field) => {
    const [member, accomplice] = await field.many(2, () => enter(field));
    answers('event', never);
    await field.begin();
    send(member, 3);
    send(accomplice, FAILURES - 3);
    await field.until(({ fetched }) => fetched >= FAILURES);
    await field.pass(TIME_LIMIT);
    await hear(member, 3, UNAVAILABLE);
    await field.others.check();
    send(member, 1_000);
    await hear(member, 1_000, UNAVAILABLE);
  });

  attack('200 clients that want to join: 5 calls', hung, async (field) => {
    const clients = await field.many(200, () => field.client(ATTACKER));
    answers('connect', never);
    await field.begin();
    for (const client of clients) await client.send(`0${namespace},`);
    await field.until(({ fetched }) => fetched >= IN_FLIGHT);
    await field.others.check();
    await field.pass(TIME_LIMIT);
    for (const client of clients) assert.match(await client.next('refusal', 60_000), UNAVAILABLE);
  });
});

describe('a back end that fails for an attacker', { concurrency: 1 }, () => {
  for (const status of [502, 503, 504]) {
    const may = { fetched: FAILURES + OTHERS.count };
    attack(`500 events answered with ${status}: 5 calls, and the others are called for`, may, async (field) => {
      const member = await enter(field);
      answers('event', () => ({ status }));
      await field.begin();
      for (let sent = 0; sent < 500; sent += 1) {
        send(member, 1);
        await hear(member, 1, UNAVAILABLE);
      }
    });
  }
});

describe('a back end that answers at once', { concurrency: 1 }, () => {
  const flood = { fetched: 1_010, statements: 30 };
  attack('22,000 events at one moment: some 1,000 calls, and the session is over', flood, async (field) => {
    const member = await enter(field);
    answers('event', () => ({}));
    await field.begin();
    send(member, 22_000);
    await member.client.peer.end();
    await field.until(({ awake }) => awake === 0);
  });

  const joins = { fetched: 2 * JOINS + OTHERS.count };
  attack('joins without end, each left again: two calls for each of 200', joins, async (field) => {
    const client = await field.client(ATTACKER);
    backEnd.handlers = { event: ({ args }) => ({ ack: args }) };
    await field.begin();
    for (let joined = 0; joined < JOINS; joined += 1) {
      await client.send(`0${namespace},`);
      assert.match(await client.next('answer to CONNECT'), /^0/);
      await client.send(`1${namespace},`);
    }
    await client.send(`0${namespace},`);
    assert.equal((await client.peer.end()).code, 1008);
    await field.endsWith(client.sid, 'overrun');
  });
});

describe('memory', { concurrency: 1 }, () => {
  const fresh = attacks({ start, openOthers, isFresh: true });
  // Each of the clients has an address: as much is in flight as an object may have.
  const many = (field, count, act) =>
    field.many(count, (index) => enter(field, from(`198.51.100.${index}`)).then(act));

  const tooLarge = Buffer.alloc(10_000_000, ' ');
  const answered = (headers) => async (field) => {
    answers('event', () => ({ status: 200, headers, body: tooLarge }));
    await many(field, 40, async (member) => {
      send(member, 1);
      await hear(member, 1, /internal error/);
    });
  };

  const none = { path, may: { wasm: 16 * MiB, errors: 40 } };
  const announced = answered({ 'content-length': tooLarge.length });
  fresh('10 MB announced to an event of each of 40 clients: nothing is read', none, announced);

  // All may have a megabyte at the same time, as below.
  const some = { path, may: { wasm: 64 * MiB, errors: 40 } };
  fresh('10 MB answered to an event of each of 40 clients: no more than 1 MB is read', some, answered({}));

  fresh('1 MB answered to an event of each of 40 clients', { path, may: { wasm: 64 * MiB } }, async (field) => {
    const body = JSON.stringify({ ack: 'x'.repeat(LARGE) });
    answers('event', () => ({ status: 200, body }));
    await many(field, 40, async (member) => {
      send(member, 1);
      await hear(member, 1, /^3\/chat,0\["x/);
    });
  });

  // Attachments are in base64, and those of one call are larger than the share of its address.
  const asked = { path, may: { wasm: 96 * MiB, fetched: 3 + OTHERS.count, bytesFetched: 25 * MiB } };
  fresh('9 MB of attachments from each of 3 clients of an address: one call, and nobody waits', asked, async (field) => {
    const members = await field.many(3, () => enter(field));
    answers('event', never);
    await field.begin();
    const placeholders = Array.from({ length: 9 }, (_, num) => `{"_placeholder":true,"num":${num}}`);
    for (const { client } of members) {
      client.peer.send(`459-${namespace},1["attack",${placeholders}]`);
      for (let sent = 0; sent < 9; sent += 1) client.peer.send(Buffer.alloc(LARGE));
    }
    await field.arrived(30, []);
    await field.until(({ fetched }) => fetched >= 1);
    await field.others.check();
    await field.pass(TIME_LIMIT);
    for (const member of members) await hear(member, 1, UNAVAILABLE);
  });
});
