// The latency page of the playground, in a browser, by each transport.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { keepScreenshot, openPage, startBrowser } from '../harness/clients/browser.mjs';
import { startServer } from '../harness/server.mjs';

const server = await startServer({ build: 'build', assets: 'www' });
after(() => server.stop());
const browser = await startBrowser();
after(() => browser.close());

const ends = { upgrade: 'websocket', polling: 'polling', websocket: 'websocket' };

for (const [transports, last] of Object.entries(ends)) {
  test(`${transports}: connects, measures and shows what it measures`, async (t) => {
    const page = await openPage(browser, t);
    const foreign = [];
    page.on('request', (request) => {
      const url = request.url().replace(/^ws/, 'http');
      if (!url.startsWith(server.entryUrl) && !url.startsWith('data:')) foreign.push(url);
    });

    await page.goto(`${server.entryUrl}/latency.html?transports=${transports}`);
    await page.waitForSelector('#state[data-state=open]');
    await page.waitForSelector(`#transport[data-transport=${last}]`);
    assert.equal(await page.textContent('#transport'), last);
    await page.waitForFunction(() => Number(document.querySelector('#count').textContent) >= 3);
    assert.match(await page.textContent('#rtt'), /^\d+(\.\d+)? ms$/);
    assert.match(await page.textContent('#sid'), /^[\w-]{20,}$/);

    const file = await keepScreenshot(page, `latency-${transports}`);
    assert.ok(statSync(file).size > 10_000, 'the screenshot shows something');
    assert.deepEqual(page.complaints, []);
    assert.deepEqual(foreign, [], 'the page loads nothing from elsewhere');
  });
}

test('the graph is drawn', async (t) => {
  const page = await openPage(browser, t);
  await page.goto(`${server.entryUrl}/latency.html?transports=websocket`);
  const colours = () =>
    page.evaluate(() => {
      const graph = document.querySelector('#graph');
      const { data } = graph.getContext('2d').getImageData(0, 0, graph.width, graph.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
  const before = await colours();
  await page.waitForFunction(() => Number(document.querySelector('#count').textContent) >= 2);
  assert.ok((await colours()) > before, 'measuring changes what the graph shows');
});

test('one message that took long does not flatten the others, and few have no percentile', async (t) => {
  const page = await openPage(browser, t);
  await page.goto(`${server.entryUrl}/latency.html?transports=websocket`);
  await page.waitForFunction(() => Number(document.querySelector('#count').textContent) >= 2);
  assert.match(await page.textContent('#p95'), /^after 20$/);
  const heights = await page.evaluate(async () => {
    const { draw } = await import('/graph.js');
    const canvas = document.querySelector('#graph');
    const sample = (time) => ({ time, transport: 'websocket' });
    /** How far below the upper end the graph's own colour begins, in its last tenth. */
    const top = (samples) => {
      draw(canvas, samples, 10);
      const from = Math.floor(canvas.width * 0.95);
      const { data, width, height } = canvas.getContext('2d').getImageData(from, 0, canvas.width - from, canvas.height);
      for (let y = 0; y < height; y += 1) {
        for (let x = 0; x < width; x += 1) {
          const [red, green, blue, alpha] = data.subarray((y * width + x) * 4, (y * width + x) * 4 + 4);
          if (alpha === 255 && red - blue > 60 && green < red) return y / height;
        }
      }
      return 1;
    };
    return [top([400, 4, 5, 4, 5].map(sample)), top([4, 4, 5, 4, 5].map(sample))];
  });
  const [after, without] = heights;
  assert.ok(after < 0.8, `the last of them is at ${after} of the height`);
  assert.ok(without < 0.8, `the last of them is at ${without} of the height`);
});

test('the start page leads to it', async (t) => {
  const page = await openPage(browser, t);
  await page.goto(`${server.entryUrl}/`);
  await page.click('a[href*="latency"]');
  await page.waitForSelector('#state[data-state=open]');
  assert.deepEqual(page.complaints, []);
});
