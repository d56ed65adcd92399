// Runs a suite of the protocols in Chromium, against `npm run conformance`:
//
//   CHROMIUM=/usr/bin/chromium node tests/suites/in-chromium.mjs …/engine.io-protocol/test-suite
//
// Its page loads mocha and chai from the network, and starts them before the suite is
// loaded. Here they are those that `npm ci` has installed beside it, and wait for it.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { startBrowser } from '../harness/clients/browser.mjs';

/** Counts in the document, because mocha complains about new globals. */
const RUN = `<script type="module">
  const result = { passed: 0, skipped: 0, failed: [] };
  document.result = new Promise((resolve) => {
    mocha
      .run()
      .on('pass', () => (result.passed += 1))
      .on('pending', () => (result.skipped += 1))
      .on('fail', ({ title }, { message }) => result.failed.push(title + ': ' + message))
      .on('end', () => resolve(result));
  });
</script>`;

function page(suite) {
  const text = readFileSync(path.join(suite, 'index.html'), 'utf8');
  return text.replace(/<script class="mocha-exec">[^]*?<\/script>/, RUN);
}

/** Serves the page and the suite, from this machine: other pages may not connect to it. */
function serve(suite) {
  return http.createServer(({ url }, response) => {
    const name = path.basename(url);
    const file = path.join(suite, name);
    if (name === '') response.setHeader('content-type', 'text/html').end(page(suite));
    else if (!existsSync(file)) response.writeHead(404).end();
    else response.setHeader('content-type', 'text/javascript').end(readFileSync(file));
  });
}

/** Answers for the network, from where `npm ci` has put it. */
function library(route, suite) {
  const [, name, file] = /^\/([a-z-]+)@[^/]*(.*)/.exec(new URL(route.request().url()).pathname);
  if (file.endsWith('.css')) return route.fulfill({ contentType: 'text/css', body: '' });
  return route.fulfill({ path: path.join(suite, 'node_modules', name, file || `${name}.js`) });
}

async function run(suite) {
  const server = serve(suite).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await startBrowser();
  try {
    const tab = await browser.newPage();
    await tab.route('https://unpkg.com/**', (route) => library(route, suite));
    await tab.goto(`http://127.0.0.1:${server.address().port}/`);
    await tab.waitForFunction(() => document.result);
    return await tab.evaluate(() => document.result);
  } finally {
    await browser.close();
    server.close();
  }
}

const { passed, skipped, failed } = await run(path.resolve(process.argv[2] ?? '.'));
console.log(`${passed} passed, ${skipped} skipped, ${failed.length} failed`);
for (const line of failed) console.log(line);
process.exitCode = failed.length > 0 || passed === 0 ? 1 : 0;
