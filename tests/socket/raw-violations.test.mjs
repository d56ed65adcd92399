// What a client must not send: its whole session is closed, with every socket of
// it, and nobody else notices.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { startServer } from '../harness/server.mjs';
import { socketBystanders } from '../harness/socket/bystanders.mjs';
import { eachWay } from '../harness/socket/ways.mjs';
import { differs, target } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());

const { logs } = server;
const BYTES = Buffer.of(1, 2, 3);
const STATE = 'forced server close';
const PARSE = 'parse error';
// The reference server has the one or the other for all of them.
const allowed = (reason) => (target === 'reference' ? ['forced close', STATE] : [reason]);

/** What is sent by a client that is in `/` and `/chat`, and why its sockets go. */
const violations = {
  'an event for a namespace that was not joined': [STATE, '2/custom,["message"]'],
  'an event for a namespace that is not there': [STATE, '2/random,["message"]'],
  'an acknowledgement for a namespace that was not joined': [STATE, '3/custom,0[]'],
  'a DISCONNECT of a namespace that was not joined': [STATE, '1/custom,'],
  'a CONNECT_ERROR': [STATE, '4{"message":"no"}'],
  'a CONNECT_ERROR for a namespace that was not joined': [STATE, '4/custom,{"message":"no"}'],
  'a CONNECT_ERROR without a payload': [STATE, '4'],

  'JSON that ends too early': [PARSE, '2["message",{"a":1}'],
  'JSON that goes on': [PARSE, '2["message"]]'],
  'JSON with a trailing comma': [PARSE, '2["message",]'],
  'JavaScript that is no JSON': [PARSE, "2['message']"],
  'no JSON at all': [PARSE, '2message'],
  'NaN': [PARSE, '2["message",NaN]'],
  'a control character in a JSON string': [PARSE, '2["message","\n"]'],

  'an EVENT with an empty array': [PARSE, '2[]'],
  'an EVENT with an object': [PARSE, '2{}'],
  'an EVENT with a string': [PARSE, '2"message"'],
  'an EVENT whose name is null': [PARSE, '2[null]'],
  'an EVENT whose name is a boolean': [PARSE, '2[true]'],
  'an EVENT whose name is an array': [PARSE, '2[["message"]]'],
  'an EVENT whose name is an object': [PARSE, '2[{"message":1}]'],
  'an ACK with an object': [PARSE, '30{}'],
  'an ACK with a string': [PARSE, '30"x"'],
  'a DISCONNECT with a payload': [PARSE, '1{}'],
  'a DISCONNECT with a payload, by name': [PARSE, '1/chat,["x"]'],
  'a CONNECT with an array': [PARSE, '0/custom,[]'],
  'a CONNECT with a string': [PARSE, '0/custom,"token"'],
  'a CONNECT with null': [PARSE, '0/custom,null'],
  'a CONNECT with bad JSON': [PARSE, '0/custom,{"token"'],

  'the packet type 7': [PARSE, '7'],
  'the packet type 9': [PARSE, '9["message"]'],
  'a letter for a packet type': [PARSE, 'a["message"]'],
  'a packet type beyond ASCII': [PARSE, 'é1234'],

  'a binary message that no packet announced': [PARSE, BYTES],
  'text while an attachment is missing': [PARSE, '51-["message",{"_placeholder":true,"num":0}]', '2["message"]'],
  'one attachment too many': [PARSE, '51-["message-with-ack",{"_placeholder":true,"num":0}]', BYTES, BYTES],
  'a placeholder out of range': [PARSE, '51-["message",{"_placeholder":true,"num":1}]', BYTES],
  'a placeholder out of range, deep inside': [PARSE, '51-["message",[{"a":{"_placeholder":true,"num":7}}]]', BYTES],
  'a placeholder below zero': [PARSE, '51-["message",{"_placeholder":true,"num":-1}]', BYTES],
  'a placeholder with a text for its number': [PARSE, '51-["message",{"_placeholder":true,"num":"0"}]', BYTES],
  'a placeholder without a number': [PARSE, '51-["message",{"_placeholder":true}]', BYTES],
  'a placeholder out of range in an acknowledgement': [PARSE, '61-0[{"_placeholder":true,"num":1}]', BYTES],
  'a binary event without a number of attachments': [PARSE, '5["message"]'],
  'a binary event with an empty number of attachments': [PARSE, '5-["message"]'],
  'a binary event with a negative number of attachments': [PARSE, '5-1-["message"]'],
  'a binary event with half an attachment': [PARSE, '50.5-["message"]'],
  'a binary event with too many digits': [PARSE, `5${'9'.repeat(400)}-["message"]`],
  'a binary event of no attachments': [PARSE, '50-["message"]'],
  'a binary acknowledgement of no attachments': [PARSE, '60-0["x"]'],
  'a binary event with one attachment more than allowed': [PARSE, '511-["message"]'],
};
// npm's server waits for the attachments.
if (target === 'worker') {
  Object.assign(violations, {
    'an event with attachments for a namespace that was not joined': [STATE, '510-/custom,["message"]'],
    'an event with attachments for a namespace that is not there': [STATE, '51-/random,["message"]'],
    'an acknowledgement with attachments for a namespace that was not joined': [STATE, '61-/custom,0[]'],
  });
}
for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
  violations[`the reserved event name ${name}`] = [PARSE, `2["${name}"]`];
  violations[`the reserved event name ${name} with an attachment`] = [
    PARSE,
    `51-["${name}",{"_placeholder":true,"num":0}]`,
  ];
}

/** Where the reference server does nothing, or something by chance. */
const ours = {
  'an empty message': [PARSE, ''],
  'a space for a packet type': [PARSE, ' '],
};

const rules = ({ revision, asleep, member }) => {
  const check = (reason, messages) => async () => {
    const others = await socketBystanders(server, { revision, asleep });
    const root = await member();
    const { client } = root;
    const chat = await client.join('/chat');
    await client.try(...messages);
    assert.deepEqual(await client.ended(), []);
    for (const { id } of [root, chat]) {
      const line = await logs.waitFor({ event: 'disconnected', socket: id });
      assert.ok(allowed(reason).includes(line.reason), `${line.reason}, not ${reason}`);
    }
    await others.check();
    await others.leave();
  };
  for (const [name, [reason, ...messages]] of Object.entries(violations)) {
    test(name, check(reason, messages));
  }
  test('what comes behind that, in the same payload, is heard no more', async () => {
    const { client } = await member();
    await client.try('2/custom,["message"]', '0/chat,', '2/chat,["message"]');
    assert.deepEqual(await client.ended(), []);
    await (await member()).nothing();
    assert.deepEqual(logs.find({ event: 'join', sid: client.sid, namespace: '/chat' }), []);
  });
  for (const [name, [reason, ...messages]] of Object.entries(ours)) {
    test(name, differs('has no such rule'), check(reason, messages));
  }
};

eachWay(server, rules, { revisions: [3, 4] });
