// What the pages look like, on a desktop and on a phone, in the light and in the dark. The
// screenshots are kept in target/artifacts for people to look at; what can be checked
// without eyes is checked here.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { keepScreenshot, openPage, startBrowser } from '../harness/clients/browser.mjs';
import { startServer } from '../harness/server.mjs';

const server = await startServer({ build: 'build', assets: 'www' });
after(() => server.stop());
const browser = await startBrowser();
after(() => browser.close());

const screens = {
  desktop: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
  'narrow phone': { viewport: { width: 320, height: 568 }, hasTouch: true, isMobile: true },
};
const schemes = ['light', 'dark'];

/** Brings each page into the state in which it is looked at. */
const pages = {
  index: async (page) => {
    await page.goto(`${server.entryUrl}/`);
  },
  'chat-welcome': async (page) => {
    await page.goto(`${server.entryUrl}/chat.html`);
    await page.waitForSelector('#welcome[open]');
  },
  'chat-talk': async (page) => {
    await talk(page, 'a room with a rather long name');
    await page.fill('#text', 'I heard that it sleeps between messages');
    await page.press('#text', 'Enter');
    await page.locator('#messages li:not(.pending)').first().waitFor();
  },
  'chat-drawer': async (page) => {
    await talk(page, 'another room');
    if (await page.isVisible('#menu')) await page.click('#menu');
    await page.waitForSelector('#people li');
  },
  latency: async (page) => {
    await page.goto(`${server.entryUrl}/latency.html`);
    await page.waitForFunction(() => Number(document.querySelector('#count').textContent) >= 3);
  },
  usage: async (page) => {
    await page.goto(`${server.entryUrl}/usage.html`);
    await page.waitForSelector('#state[data-state=awake]');
    await page.waitForFunction(() => Number(document.querySelector('#requests').textContent) >= 1);
  },
};

async function talk(page, room) {
  await page.goto(`${server.entryUrl}/chat.html`);
  await page.fill('#first', 'Ada');
  await page.click('#welcome button');
  await page.waitForSelector('#state[data-state=connected]');
  await page.locator('#room').evaluate((field, name) => {
    field.value = name;
    field.form.requestSubmit();
  }, room);
  await page.waitForFunction((name) => document.querySelector('#title').textContent === name, room);
}

/** Runs in the page: the elements that reach over its right edge. */
function tooWide() {
  const edge = document.documentElement.clientWidth;
  const scrolls = (element) => element.closest('pre') !== null;
  return [...document.body.querySelectorAll('*')]
    .filter((element) => !scrolls(element) && element.getBoundingClientRect().right > edge + 1)
    .map((element) => element.outerHTML.slice(0, 80));
}

/** Runs in the page: texts whose contrast with the ground behind them is under 4.5 (WCAG 1.4.3). */
function tooFaint() {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [R, G, B] = [r, g, b].map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * R + 0.7152 * G + 0.0722 * B;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const [r, g, b, alpha = 1] = numbers(getComputedStyle(at).backgroundColor);
      if (alpha > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== '';
  return [...document.body.querySelectorAll('*')]
    .filter((element) => element.checkVisibility() && [...element.childNodes].some(isText))
    .filter((element) => !['NOSCRIPT', 'SCRIPT'].includes(element.tagName) && !element.disabled)
    .map((element) => {
      const [a, b] = [numbers(getComputedStyle(element).color), ground(element)].map(luminance);
      return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.trim().slice(0, 40)];
    })
    .filter(([contrast]) => contrast < 4.5);
}

for (const [screen, options] of Object.entries(screens)) {
  for (const colorScheme of schemes) {
    describe(`${screen}, ${colorScheme}`, { concurrency: 5 }, () => {
      for (const [name, prepare] of Object.entries(pages)) {
        test(name, async (t) => {
          const page = await openPage(browser, t, { ...options, colorScheme });
          await prepare(page);
          await keepScreenshot(page, `${name}-${screen.replaceAll(' ', '-')}-${colorScheme}`);
          assert.deepEqual(await page.evaluate(tooWide), [], 'nothing is wider than the screen');
          assert.deepEqual(await page.evaluate(tooFaint), [], 'everything can be read');
          assert.deepEqual(page.complaints, []);
        });
      }
    });
  }
}

test('the start page leads to the code and to its documentation', async (t) => {
  const page = await openPage(browser, t);
  await page.goto(`${server.entryUrl}/`);
  for (const link of await page.locator('nav a').all()) {
    const answer = await page.request.get(`${server.entryUrl}${await link.getAttribute('href')}`, { maxRedirects: 0 });
    assert.equal(answer.status(), 302);
    assert.match(answer.headers().location, /^https:/);
  }
});

test('the talk fills the screen beside the rooms, and all of it on a phone', async (t) => {
  for (const [options, left] of [[screens.desktop, 240], [screens.phone, 0]]) {
    const page = await openPage(browser, t, options);
    await talk(page, 'a room with walls');
    const { width, height } = options.viewport;
    assert.deepEqual(await page.locator('.talk').boundingBox(), { x: left, y: 0, width: width - left, height });
  }
});

test('the drawer of a phone covers the whole height, and whatever is behind it closes it', async (t) => {
  const page = await openPage(browser, t, screens.phone);
  await talk(page, 'behind a drawer');
  await page.tap('#menu');
  const { y, height } = await page.locator('.side').boundingBox();
  assert.deepEqual([y, height], [0, 844]);
  await page.touchscreen.tap(380, 400);
  await page.locator('.side').waitFor({ state: 'hidden' });
});
