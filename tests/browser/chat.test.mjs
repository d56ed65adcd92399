// The playground's chat, played by two people in a browser.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { keepScreenshot, openPage, startBrowser } from '../harness/clients/browser.mjs';
import { startServer } from '../harness/server.mjs';

const server = await startServer({ build: 'build', assets: 'www' });
after(() => server.stop());
const browser = await startBrowser();
after(() => browser.close());

let roomCount = 0;

/** Somebody at the page, in a room of this test's own. */
async function person(t, name, { room, ...options } = {}) {
  const page = await openPage(browser, t, options);
  await page.goto(`${server.entryUrl}/chat.html`);
  await page.fill('#first', name);
  await page.click('#welcome button');
  await page.waitForSelector('#state[data-state=connected]');
  if (room) await enter(page, room);
  return page;
}

async function enter(page, room) {
  await page.locator('#room').evaluate((field, name) => {
    field.value = name;
    field.form.requestSubmit();
  }, room);
  await page.waitForFunction((name) => document.querySelector('#title').textContent === name, room);
}

async function say(page, text) {
  await page.fill('#text', text);
  await page.press('#text', 'Enter');
}

const message = (page, text) => page.locator('#messages .text', { hasText: text });
const hears = (page, text) => message(page, text).waitFor();
const sees = (page, name) => page.locator('#people li', { hasText: name }).waitFor({ state: 'attached' });
const freshRoom = () => `room ${(roomCount += 1)}`;

/** The object that everybody is in. */
const sid = () => server.logs.waitFor({ event: 'connect' }).then((line) => line.sid);

async function pair(t) {
  const room = freshRoom();
  const ada = await person(t, 'Ada', { room });
  const bob = await person(t, 'Bob', { room });
  await sees(ada, 'Bob');
  await sees(bob, 'Ada');
  return { room, ada, bob };
}

test('two people talk, and see each other come, type, and go', async (t) => {
  const { ada, bob } = await pair(t);
  await say(ada, 'hello Bob');
  await hears(bob, 'hello Bob');
  await ada.locator('#messages li:not(.pending) .text', { hasText: 'hello Bob' }).waitFor();

  await bob.type('#text', 'hm');
  await ada.waitForSelector('#messages[data-typing="Bob is typing …"]');
  await bob.press('#text', 'Enter');
  await hears(ada, 'hm');
  await ada.waitForSelector('#messages[data-typing=""]');
  await keepScreenshot(ada, 'chat');

  await bob.close();
  await ada.locator('#people li', { hasText: 'Bob' }).waitFor({ state: 'detached' });
  assert.deepEqual(ada.complaints, []);
});

test('a new name is seen by the others', async (t) => {
  const { ada, bob } = await pair(t);
  await bob.fill('#name', 'Robert');
  await bob.press('#name', 'Enter');
  await sees(ada, 'Robert');
  await say(bob, 'it is still me');
  await ada.locator('.who', { hasText: 'Robert' }).waitFor();
});

test('several rooms: what is said in one that is not shown is counted', async (t) => {
  const { room, ada, bob } = await pair(t);
  await enter(bob, freshRoom());
  await say(ada, 'are you there?');
  await bob.locator('.room', { hasText: room }).locator('.unread').waitFor();
  await bob.locator('.room', { hasText: room }).click();
  await hears(bob, 'are you there?');
  await bob.locator('.unread').waitFor({ state: 'detached' });
  await bob.click('#leave');
  await ada.locator('#people li', { hasText: 'Bob' }).waitFor({ state: 'detached' });
});

test('a reload brings back name, rooms and history', async (t) => {
  const { room, ada, bob } = await pair(t);
  await say(ada, 'for later');
  await hears(bob, 'for later');
  await bob.reload();
  await bob.waitForSelector('#state[data-state=connected]');
  await bob.locator('.room', { hasText: room }).click();
  await hears(bob, 'for later');
  assert.equal(await bob.inputValue('#name'), 'Bob');
  assert.equal(await message(bob, 'for later').count(), 1);
});

test('everything goes on after the object has slept', async (t) => {
  const { ada, bob } = await pair(t);
  await ada.waitForSelector('#transport[data-transport=websocket]');
  await bob.waitForSelector('#transport[data-transport=websocket]');
  await say(ada, 'good night');
  await hears(bob, 'good night');
  await server.sleep(await sid());
  await say(bob, 'good morning');
  await hears(ada, 'good morning');
  assert.equal(await message(ada, 'good morning').count(), 1);
});

test('who is cut off comes back by itself and has missed nothing', async (t) => {
  const { ada, bob } = await pair(t);
  await ada.waitForSelector('#transport[data-transport=websocket]');
  await bob.waitForSelector('#transport[data-transport=websocket]');
  await say(ada, 'before');
  await hears(bob, 'before');
  await server.cut(await sid());
  await ada.waitForSelector('#state[data-recovered=true]');
  // He may be back by now, or has missed it.
  await say(ada, 'after');
  await hears(bob, 'after');
  for (const page of [ada, bob]) {
    await page.waitForSelector('#state[data-recovered=true]');
    assert.equal(await message(page, 'before').count(), 1);
    assert.equal(await message(page, 'after').count(), 1);
  }
});

test('what the server does not take is told', async (t) => {
  const { ada } = await pair(t);
  await ada.evaluate(() => document.querySelector('#text').removeAttribute('maxlength'));
  await say(ada, 'x'.repeat(2_001));
  await ada.locator('.why', { hasText: 'more than 2000 characters' }).waitFor();
});

test('what is being written stays in its room', async (t) => {
  const { room, ada } = await pair(t);
  await ada.fill('#text', 'half a sentence');
  await enter(ada, freshRoom());
  assert.equal(await ada.inputValue('#text'), '');
  await ada.locator('.room', { hasText: room }).click();
  assert.equal(await ada.inputValue('#text'), 'half a sentence');
});

test('a room in which nothing was said says so', async (t) => {
  const ada = await person(t, 'Ada', { room: freshRoom() });
  await ada.waitForSelector('#messages[data-empty^="Nobody has said"]');
  await say(ada, 'I have');
  await ada.waitForSelector('#messages[data-empty=""]');
});

test('without a connection nothing can be sent, and nobody is shown as present', async (t) => {
  const { ada, bob } = await pair(t);
  await ada.waitForSelector('#transport[data-transport=websocket]');
  await ada.context().setOffline(true);
  await server.cut(await sid());
  await ada.waitForSelector('.chat.offline');
  await ada.locator('#notice', { hasText: 'No connection' }).waitFor();
  assert.equal(await ada.isDisabled('#send'), true);
  await ada.fill('#text', 'for later');
  await ada.press('#text', 'Enter');
  assert.equal(await ada.inputValue('#text'), 'for later');
  assert.doesNotMatch(await ada.textContent('#notice'), /poll error/);
  await keepScreenshot(ada, 'chat-offline');

  await ada.context().setOffline(false);
  await ada.waitForSelector('.chat:not(.offline)');
  await ada.press('#text', 'Enter');
  await hears(bob, 'for later');
  assert.equal(await ada.textContent('#notice'), '');
});

test('on a phone', async (t) => {
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  const room = freshRoom();
  const ada = await person(t, 'Ada', { room, ...phone });
  const bob = await person(t, 'Bob', { room });
  await say(bob, 'nice phone');
  await hears(ada, 'nice phone');
  assert.equal(await ada.isVisible('#people'), false);
  await ada.tap('#menu');
  assert.equal(await ada.isVisible('#people'), true);
  await keepScreenshot(ada, 'chat-phone-menu');
  await ada.tap('#close');
  assert.equal(await ada.isVisible('#people'), false);
  const wider = () => document.documentElement.scrollWidth > document.documentElement.clientWidth;
  assert.equal(await ada.evaluate(wider), false, 'nothing is wider than the screen');
  await keepScreenshot(ada, 'chat-phone');
});

test('the start page leads to it, and the stock client is where it is expected', async (t) => {
  const page = await openPage(browser, t);
  await page.goto(`${server.entryUrl}/`);
  await page.click('a[href*="chat"]');
  await page.waitForSelector('#welcome[open]');
  const script = await page.request.get(`${server.entryUrl}/socket.io/socket.io.js`);
  assert.equal(script.status(), 200);
  assert.match(await script.text(), /Socket\.IO v4/);
  assert.deepEqual(page.complaints, []);
});
