// What idle clients and messages are billed for, on the real runtime, in a sample of
// what `npm run cost` counts. The rules themselves are tested, too: with figures that
// break them.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { startMetered } from './metered.mjs';
import { MONTH, month } from './prices.mjs';
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
  const metered = startMetered();
  after(async () => (await metered).stop());

  for (const scenario of quickScenarios()) {
    test(`of ${scenario.count} idle clients: ${title(scenario)}`, async () => {
      const spent = await spend(await metered, scenario);
      assert.deepEqual(broken(scenario, spent), [], JSON.stringify(spent));
    });
  }

  for (const server of talking) {
    test(`of messages: ${server}`, async () => {
      const result = await talk(await metered, server);
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
  const polling = { server: 'Engine.IO', transport: 'polling', count: 1 };
  const cases = [
    ['by nothing', { ...websocket, revisions: [3] }, nothing, 0],
    ['by a ping that wakes an object of revision 3', { ...websocket, revisions: [3] }, { ...nothing, wakes: 1, messages: 1 }, 1],
    ['by an alarm of revision 3', { ...websocket, revisions: [3] }, { ...nothing, alarmsSet: 1 }, 2],
    ['by no pulse', { ...websocket, revisions: [4] }, pulses, 0],
    ['by pulses that come too often', { ...websocket, revisions: [4] }, { ...pulses, alarms: 145, alarmsSet: 145 }, 1],
    ['by a pong that wakes', { ...websocket, revisions: [4] }, { ...pulses, messages: 1 }, 1],
    ['by wakings of their own', { ...websocket, revisions: [4] }, { ...pulses, wakes: 145 }, 2],
    ['by a second alarm', { ...websocket, revisions: [4] }, { ...pulses, alarmsSet: 145 }, 1],
    ['by a row', { ...websocket, revisions: [4] }, { ...pulses, rowsWritten: 1 }, 1],
    ['by no poll', { ...polling, revisions: [4] }, polls, 0],
    ['by a row of a client that polls', { ...polling, revisions: [4] }, { ...polls, rowsWritten: 1 }, 1],
    ['by an alarm set twice for one that polls', { ...polling, revisions: [3] }, { ...polls, alarmsSet: 145 }, 1],
    ['by looking for lost clients', { ...websocket, server: 'recovery', revisions: [4] }, { ...pulses, rowsWritten: 30 }, 0],
    ['by writing more', { ...websocket, server: 'recovery', revisions: [4] }, { ...pulses, rowsWritten: 31 }, 1],
    ['by polls that come too often', { ...polling, revisions: [3] }, { ...polls, fetches: 289 }, 1],
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
    const scenario = { ...websocket, revisions: [4], count: 1_000 };
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
