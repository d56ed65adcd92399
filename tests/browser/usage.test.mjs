// The usage page of the playground: what wakes the object of the chat, and what that costs.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { openPage, startBrowser } from '../harness/clients/browser.mjs';
import { startServer } from '../harness/server.mjs';

const server = await startServer({ build: 'build', assets: 'www' });
after(() => server.stop());
const browser = await startBrowser();
after(() => browser.close());

const ROOM = 'a room of its own';

/** The page, and all that comes and goes on its WebSocket. */
async function watch(t) {
  const page = await openPage(browser, t);
  const frames = { sent: [], received: [] };
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => frames.sent.push(String(payload)));
    socket.on('framereceived', ({ payload }) => frames.received.push(String(payload)));
  });
  await page.goto(`${server.entryUrl}/usage.html`);
  await page.waitForSelector('#state[data-state=awake]');
  return { page, frames };
}

async function talker(t) {
  const page = await openPage(browser, t);
  await page.goto(`${server.entryUrl}/chat.html`);
  await page.fill('#first', 'Grace');
  await page.click('#welcome button');
  await page.waitForSelector('#state[data-state=connected]');
  await page.locator('#room').evaluate((field, name) => {
    field.value = name;
    field.form.requestSubmit();
  }, ROOM);
  await page.waitForFunction((name) => document.querySelector('#title').textContent === name, ROOM);
  return page;
}

const say = async (page, text) => {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
  await page.locator('#messages li:not(.pending) .text', { hasText: text }).waitFor();
};

/** Waits until the page shows it. */
const shows = (page, id, isIt, argument) =>
  page.waitForFunction(
    ([id, isIt, argument]) => new Function('text', 'argument', `return ${isIt}`)(document.getElementById(id).textContent, argument),
    [id, isIt, argument],
  );

const sid = () => server.logs.waitFor({ event: 'connect' }).then((line) => line.sid);

test('shows what wakes the object, what it does, and what that costs', async (t) => {
  const { page, frames } = await watch(t);
  await page.waitForSelector('#reasons li[data-reason=handshake]');
  assert.equal(await page.textContent('#objects'), '1');
  const grace = await talker(t);
  await say(grace, 'nobody else’s business');
  await server.sleep(await sid());
  await say(grace, 'wake up');
  await page.waitForSelector('#reasons li[data-reason=message]');
  await shows(page, 'people', 'text === "1"');
  // The lobby is where everybody begins.
  await shows(page, 'rooms', 'text === "2"');
  await shows(page, 'watching', 'text === "1"');
  await shows(page, 'wakes', 'Number(text) >= 2');
  await shows(page, 'rows', 'Number(text) > 0');
  await shows(page, 'dollars', '/^\\$0\\.0000\\d+$/.test(text)');
  const before = await page.textContent('#dollars');
  await server.sleep(await sid());
  await say(grace, 'and again');
  await shows(page, 'dollars', 'text !== argument', before);

  const told = frames.received.join('\n');
  assert.match(told, /"report"/);
  const secrets = [ROOM, 'Grace', 'business', ...server.logs.find({ event: 'connect' }).map(({ sid }) => sid)];
  const own = JSON.parse(frames.received[0].slice(1)).sid;
  for (const secret of secrets.filter((it) => it !== own)) assert.ok(!told.includes(secret), secret);
  assert.deepEqual(page.complaints, []);
});

test('lets the object sleep, and asks no more than once after each wake', async (t) => {
  const { page, frames } = await watch(t);
  const grace = await talker(t);
  await server.sleep(await sid());
  await say(grace, 'still here?');
  await page.waitForSelector('#reasons li[data-reason=message]');
  // The runtime puts it to sleep by itself, since nothing happens.
  await page.waitForSelector('#state[data-state=asleep]', { timeout: 30_000 });
  const looks = frames.sent.filter((frame) => frame.includes('look')).length;
  const wakes = frames.received
    .filter((frame) => frame.includes('"report"'))
    .map((frame) => JSON.parse(frame.slice(frame.indexOf('[')))[1])
    .filter(({ usage }) => usage.wokenBy.alarm === 0)
    .map(({ life }) => life);
  const lives = new Set(wakes).size;
  assert.ok(looks > 0 && looks <= lives + 1, `${looks} looks, ${lives} lives`);
});

test('says that there is no connection, and goes on when there is', async (t) => {
  const { page } = await watch(t);
  await shows(page, 'wakes', 'Number(text) >= 1');
  const wakes = await page.textContent('#wakes');
  await page.evaluate(() => {
    window.states = [];
    const state = document.querySelector('#state');
    new MutationObserver(() => states.push(state.dataset.state)).observe(state, { attributes: true });
  });
  await server.cut(await sid());
  await page.waitForFunction(() => states.includes('closed') && states.at(-1) === 'awake');
  await shows(page, 'wakes', 'Number(text) > Number(argument)', wakes);
});
