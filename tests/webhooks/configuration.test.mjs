// What a gateway says that is configured wrongly: it does not start, and names the variable.

import { describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { startGateway } from '../harness/gateway.mjs';
import { root } from '../harness/root.mjs';
import { workerOnly } from '../harness/target.mjs';

const URL = 'https://api.example.com/hook';
/** What is not to be deployed as it stands. */
const example = parseEnv(readFileSync(path.join(root, 'examples/gateway/.dev.vars.example'), 'utf8'));

/** Each variable with a wrong value, and what is said of it. */
const wrong = [
  [{ WEBHOOK_URL: '' }, /WEBHOOK_URL: is not set; it is the address of the back end/],
  [{ WEBHOOK_URL: 'api.example.com' }, /WEBHOOK_URL: .*"api\.example\.com" is not an address/],
  [{ WEBHOOK_SECRET: '' }, /WEBHOOK_SECRET: neither WEBHOOK_SECRET nor WEBHOOK_SECRET_OLD is set/],
  [{ WEBHOOK_SECRET: 'abc' }, /WEBHOOK_SECRET: .*must be `whsec_` and 24 to 64 random bytes in base64/],
  [example, /WEBHOOK_SECRET: .*must be `whsec_` and 24 to 64 random bytes in base64/],
  [{ API_SIGNED: true }, /API_SIGNED: there is no API_SECRET to sign with/],
  [{ WEBHOOK_TIME_LIMIT: 'soon' }, /WEBHOOK_TIME_LIMIT: must be a whole number of seconds/],
  [{ WEBHOOK_TIME_LIMIT: 30 }, /WEBHOOK_TIME_LIMIT: must be over 0 and at most 25 s/],
  [{ WEBHOOK_IN_FLIGHT: 4 }, /WEBHOOK_IN_FLIGHT: must be a list of whole numbers/],
  [{ WEBHOOK_IN_FLIGHT: [4, 32] }, /WEBHOOK_IN_FLIGHT: write three numbers/],
  [{ WEBHOOK_IN_FLIGHT: [4, 2, 8] }, /WEBHOOK_IN_FLIGHT: must be over 0 for a client, at least as many for an address/],
  [{ WEBHOOK_IN_FLIGHT: [4, 5, 40] }, /WEBHOOK_IN_FLIGHT: 40 answers of 1000000 bytes.*set fewer calls in flight/],
  [{ WEBHOOK_MAX_ANSWER: 'much' }, /WEBHOOK_MAX_ANSWER: must be a whole number/],
  [{ WEBHOOK_MAX_ANSWER: 0 }, /WEBHOOK_MAX_ANSWER: must be over 0 and at most 8 MiB/],
  [{ WEBHOOK_HOOKS: ['message'] }, /WEBHOOK_HOOKS: "message" is none of "connect"/],
  [{ WEBHOOK_EVENTS: ['disconnect'] }, /WEBHOOK_EVENTS: `disconnect` is not an event that clients send/],
  [{ WEBHOOK_RETRY_EVENTS: 'perhaps' }, /WEBHOOK_RETRY_EVENTS: must be true or false/],
  [{ ORIGINS: ['example.com'] }, /ORIGINS: "example\.com" is not an origin/],
  [{ ORIGINS: [] }, /ORIGINS: is empty; name the pages/],
  [{ NAMESPACES: ['chat'] }, /NAMESPACES: "chat" is not a name; it must start with `\/`/],
  [{ NAMESPACES: [] }, /NAMESPACES: define at least one/],
  [{ NAMESPACES: 7 }, /NAMESPACES: must be a list of texts/],
  [{ PARSER: 'xml' }, /PARSER: "xml" is neither "json" nor "msgpack"/],
  [{ SOCKET_PATH: 'socket.io' }, /SOCKET_PATH: must start with `\/`/],
  [{ PLACEMENT: 'many' }, /PLACEMENT: "many" is neither "one", nor "spread:".*"query:" or "header:"/],
  [{ PLACEMENT: 'query:' }, /PLACEMENT: "query:" is neither/],
  [{ PLACEMENT: 'spread:many' }, /PLACEMENT: "many" is not a number of objects/],
  [{ PLACEMENT: 'spread:0' }, /PLACEMENT: Placement::spread takes a number over 0/],
  [{ PLACEMENT: 'spread:8', NEAR: 'room' }, /NEAR: "room" is not a key, such as "query:room"/],
  [{ PLACEMENT: 'spread:8', CAPACITY: 'some' }, /CAPACITY: must be a whole number/],
  [{ PLACEMENT: 'spread:8', CAPACITY: 40_000 }, /PLACEMENT: the capacity of an object must be over 0 and at most 32768/],
  [{ PLACEMENT: 'spread:8', LOCATION: 'Europe' }, /PLACEMENT: "Europe" is not a location; write one of wnam,/],
  [{ CAPACITY: 10 }, /CAPACITY: is for many objects that are one server: PLACEMENT = "spread:8"/],
  [{ RECOVERY: -1 }, /RECOVERY: must be a whole number of seconds/],
  [{ RATE_LIMIT: { packets: 5 } }, /RATE_LIMIT: must be a table of lists of whole numbers/],
  [{ RATE_LIMIT: { packets: [5] } }, /RATE_LIMIT: packets takes two numbers/],
  [{ RATE_LIMIT: { events: [5, 5] } }, /RATE_LIMIT: events is none of packets, bytes, joins and handshakes/],
  [{ RATE_LIMIT: { bytes: [5, 5] } }, /RATE_LIMIT: .*max_payload/],
  [{ LOG: 'all' }, /LOG: "all" is none of/],
  [{ ORGINS: '*' }, /ORGINS: is not a variable of the gateway, which has .*ORIGINS/],
];

describe('a gateway whose variables are wrong', workerOnly, () => {
  for (const [variables, expect] of wrong) {
    test(JSON.stringify(variables), async () => {
      const error = await startGateway(URL, variables).catch((error) => error);
      // What `wrangler deploy` says, which does not show the log.
      const [thrown] = /Uncaught Error: .*/.exec(error.message) ?? [];
      assert.match(thrown ?? '', expect, error.message);
    });
  }
});

test('a gateway of many objects', workerOnly, async () => {
  const many = { PLACEMENT: 'spread:8', NEAR: 'query:room', CAPACITY: 1_000, LOCATION: 'continent' };
  const gateway = await startGateway(URL, many);
  const response = await fetch(`${gateway.url}/socket.io/?EIO=4&transport=polling`);
  assert.equal(response.status, 200);
  await gateway.stop();
});

test('a gateway whose variables are all set', workerOnly, async () => {
  const gateway = await startGateway(URL, {
    SOCKET_PATH: '/chat/',
    ORIGINS: ['https://example.com'],
    CREDENTIALS: true,
    NAMESPACES: ['/', '/room-{id}'],
    PARSER: 'msgpack',
    PLACEMENT: 'header:x-tenant',
    RECOVERY: 60,
    IN_ORDER: true,
    RATE_LIMIT: { packets: [50, 200] },
    ADDRESS_RATE_LIMIT: { handshakes: [10, 100] },
    LOG: 'debug',
    WEBHOOK_HOOKS: ['connect', 'event'],
    WEBHOOK_EVENTS: 'chat message',
    WEBHOOK_TIME_LIMIT: '5',
    WEBHOOK_IN_FLIGHT: [1, 2, 8],
    WEBHOOK_MAX_ANSWER: 50_000,
    WEBHOOK_RETRY_EVENTS: 'true',
    API_SECRET: 'secret',
    API_SIGNED: true,
  });
  const response = await fetch(`${gateway.url}/chat/?EIO=4&transport=polling`, {
    headers: { origin: 'https://example.com' },
  });
  assert.equal(response.status, 200);
  await gateway.stop();
});
