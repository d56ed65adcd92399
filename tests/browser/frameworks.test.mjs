// The pages of examples/clients, built with vite, in a browser.

import { after, before, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import path from 'node:path';
import { build } from 'vite';
import { openPage, startBrowser } from '../harness/clients/browser.mjs';
import { join, newest } from '../harness/clients/socket.mjs';
import { root } from '../harness/root.mjs';
import { startServer } from '../harness/server.mjs';
import { runIn } from '../harness/typescript.mjs';

const source = path.join(root, 'examples/clients');
const assets = path.join(root, 'target/clients');

let server;
let browser;
before(async () => {
  await build({ root: source, logLevel: 'warn', build: { outDir: assets, emptyOutDir: true } });
  server = await startServer({ build: 'examples/recipes/build', assets });
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A page, with its open WebSockets and how often it has entered a room. */
async function open(t, file) {
  const page = await openPage(browser, t);
  const webSockets = [];
  let entered = 0;
  const count = (sent) => /"enter"/.test(sent ?? '') && (entered += 1);
  page.on('request', (request) => count(request.postData()));
  page.on('websocket', (webSocket) => {
    webSockets.push(webSocket);
    webSocket.on('framesent', ({ payload }) => count(String(payload)));
  });
  await page.goto(`${server.entryUrl}/${file}?name=Ada`);
  return {
    page,
    entered: () => entered,
    webSockets: () => webSockets.filter((webSocket) => !webSocket.isClosed()),
    is: (state) => page.waitForSelector(`#state:text-is("${state}")`),
    shows: async (texts) => {
      await page.waitForFunction((count) => document.querySelectorAll('li').length >= count, texts.length);
      assert.deepEqual(await page.locator('li').allTextContents(), texts);
    },
    say: async (text) => {
      await page.fill('input', text);
      await page.press('input', 'Enter');
    },
  };
}

for (const [name, file] of [['React', 'react.html'], ['Vue', 'vue.html']]) {
  describe(name, () => {
    /** Somebody else, who is back sooner after a lost connection. */
    const other = async (t) => {
      const options = { path: '/chat/', auth: { name: 'Bob' }, reconnection: true, reconnectionDelay: 50 };
      const bob = await join(server, newest, options);
      t.after(() => bob.close());
      return bob.listen('said');
    };

    test('a room is entered once, again only if need be, and left with the component', async (t) => {
      const bob = await other(t);
      const ada = await open(t, file);
      await ada.is('here');
      assert.equal(ada.entered(), 1);

      await bob.ask('enter', 'lobby');
      await ada.say('hello');
      assert.equal((await bob.next('said'))[0].text, 'hello');
      await bob.ask('say', 'lobby', `hi from ${name}`);
      const known = await history(bob);
      await ada.shows(known);
      assert.equal(await ada.page.inputValue('input'), '');

      const cutOff = async (text) => {
        await server.cut(bob.sid);
        await Promise.all([ada.is('connecting'), bob.connected()]);
        await bob.ask('say', 'lobby', text);
        await ada.is('here');
      };
      // It has its socket back: nothing is entered, and nothing comes twice.
      await cutOff('where are you?');
      await ada.shows([...known, 'Bob: where are you?']);
      assert.equal(ada.entered(), 1);

      // It has not, as after a longer time.
      await ada.page.route('**/chat/**', forget);
      await cutOff('and where now?');
      await ada.shows(await history(bob));
      assert.equal(ada.entered(), 2);

      await ada.page.click('text=kitchen');
      await ada.is('here');
      assert.deepEqual(await ada.page.locator('li').allTextContents(), []);
      assert.equal(ada.webSockets().length, 1);
      await Promise.all([ada.webSockets()[0].waitForEvent('close'), ada.page.click('text=nowhere')]);
      assert.deepEqual(ada.webSockets(), []);
    });

    test('what the server does not like is shown', async (t) => {
      const ada = await open(t, file);
      await ada.is('here');
      await ada.say('x'.repeat(2_001));
      await ada.is('text has more than 2000 characters');
      await ada.say('short');
      await ada.is('here');
    });
  });
}

/** What the room's newest messages look like. */
async function history(player) {
  const [messages] = await player.ask('enter', 'lobby');
  return messages.map(({ name, text }) => `${name}: ${text}`);
}

/** Has the server take a client for one that it does not know any more. */
function forget(route) {
  const body = route.request().postData();
  return route.continue(body ? { postData: body.replace(/"pid":"[^"]*"/, '"pid":"forgotten"') } : {});
}

test('they have their types', () => runIn(source, 'typescript/bin/tsc'));
