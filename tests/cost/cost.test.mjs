// What idle clients and messages are billed for, on the real runtime, in a sample of
// what `npm run cost` counts. The rules themselves are tested, too: with figures that
// break them.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from '../harness/meter/metered.mjs';
import { MONTH, month } from '#dormouse-test/prices.mjs';
import { title } from './report.mjs';
import { broken, brokenByMessages, missed } from './rules.mjs';
import { quickScenarios, spend, talk, talking } from './scenarios.mjs';

const nothing = {
  time: 3_600_000,
  wakes: 0,
  fetches: 0,
  messages: 0,
  closes: 0,
  alarms: 0,
  alarmsSet: 0,
  rowsWritten: 0,
  rowsRead: 0,
  sent: 0,
  running: 0,
  held: 0,
  inMemory: 0,
  workerRequests: 0,
  workerCpu: 0,
};
const pulses = { ...nothing, wakes: 144, alarms: 144, alarmsSet: 144 };
const polls = { ...nothing, fetches: 288, alarms: 144, alarmsSet: 144, held: nothing.time };

describe('an hour', () => {
  let metered;
  before(async () => (metered = await startMetered()));
  after(() => metered.stop());

  for (const scenario of quickScenarios()) {
    test(`of ${scenario.count} idle clients: ${title(scenario)}`, async () => {
      const spent = await spend(metered, scenario);
      assert.deepEqual(broken(scenario, spent), [], JSON.stringify(spent));
    });
  }

  for (const server of talking) {
    test(`of messages: ${server}`, async () => {
      const result = await talk(metered, server);
      assert.equal(result.spent.messages, result.messages);
      assert.deepEqual(brokenByMessages(result), [], JSON.stringify(result));
      if (server.includes('recovery')) {
        assert.ok(result.spent.rowsWritten >= result.messages, 'each event that is kept is a row');
      }
    });
  }
});

describe('the rules are broken', () => {
  const websocket = { server: 'Engine.IO', transport: 'websocket', count: 1 };
  const [old, young] = [3, 4].map((revision) => ({ ...websocket, revisions: [revision] }));
  const [oldPolling, polling] = [old, young].map((scenario) => ({ ...scenario, transport: 'polling' }));
  const recovery = { ...young, server: 'Socket.IO, recovery on' };
  const cases = [
    ['by nothing', old, nothing, 0],
    ['by a ping that wakes an object of revision 3', old, { ...nothing, wakes: 1, messages: 1 }, 1],
    ['by an alarm of revision 3', old, { ...nothing, alarmsSet: 1 }, 2],
    ['by no pulse', young, pulses, 0],
    ['by pulses that come too often', young, { ...pulses, alarms: 145, alarmsSet: 145 }, 1],
    ['by a pong that wakes', young, { ...pulses, messages: 1 }, 1],
    ['by wakings of their own', young, { ...pulses, wakes: 145 }, 2],
    ['by a second alarm', young, { ...pulses, alarmsSet: 145 }, 1],
    ['by a row', young, { ...pulses, rowsWritten: 1 }, 1],
    ['by no poll', polling, polls, 0],
    ['by a row of a client that polls', polling, { ...polls, rowsWritten: 1 }, 1],
    ['by an alarm set twice for one that polls', oldPolling, { ...polls, alarmsSet: 145 }, 1],
    ['by polls that come too often', oldPolling, { ...polls, fetches: 289 }, 1],
    ['by no look for lost clients', recovery, { ...pulses, alarms: 174, rowsWritten: 30 }, 0],
    ['by looking too often', recovery, { ...pulses, alarms: 175, rowsWritten: 30 }, 1],
    ['by writing more than that', recovery, { ...pulses, rowsWritten: 31 }, 1],
  ];
  for (const [name, scenario, spent, count] of cases) {
    test(name, () => assert.equal(broken(scenario, spent).length, count));
  }

  test('by a message that writes', () => {
    const server = 'Socket.IO';
    assert.deepEqual(brokenByMessages({ server, spent: pulses }), []);
    assert.equal(brokenByMessages({ server, spent: { ...pulses, rowsWritten: 1 } }).length, 1);
    assert.equal(brokenByMessages({ server, spent: { ...pulses, alarmsSet: 145 } }).length, 1);
  });

  test('by what is too dear', () => {
    const scenario = { ...young, count: 1_000 };
    assert.deepEqual(missed(scenario, pulses), []);
    assert.equal(missed(scenario, { ...pulses, held: 3_600_000 }).length, 1);
  });
});

describe('the price', () => {
  const inAMonth = (spent) => month({ ...nothing, time: MONTH, ...spent }, 1, 1).total;
  const near = (got, wanted) => assert.ok(Math.abs(got - wanted) < 1e-6, `${got}, not ${wanted}`);

  test('of a million of each', () => {
    near(inAMonth({ fetches: 1_000_000 }), 0.15);
    near(inAMonth({ alarms: 1_000_000 }), 0.15);
    near(inAMonth({ messages: 20_000_000 }), 0.15);
    near(inAMonth({ alarmsSet: 1_000_000 }), 1);
    near(inAMonth({ rowsWritten: 1_000_000 }), 1);
    near(inAMonth({ rowsRead: 1_000_000_000 }), 1);
    near(inAMonth({ workerRequests: 1_000_000 }), 0.3);
    near(inAMonth({ workerCpu: 1_000_000 }), 0.02);
  });

  test('of an object that never sleeps, whatever it does meanwhile', () => {
    near(inAMonth({ held: MONTH }), 4.1472);
    near(inAMonth({ held: MONTH, running: 1_000 }), 4.1472);
  });

  test('of a million clients, a thousand in each object', () => {
    near(month(pulses, 1_000).total, 1_000 * 103_680 * (0.15e-6 + 1e-6));
  });
});
