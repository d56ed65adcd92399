// The browser builds of both clients in a browser: JSONP and binary XHR exist
// nowhere else, and nobody else sends an Origin by himself.

import { after, describe, test } from 'node:test';
import assert from 'node:assert/strict';
import { bundleFile, openPage, packageFile, startBrowser } from '../harness/clients/browser.mjs';
import { startServer } from '../harness/server.mjs';
import { emitFromElsewhere } from '../harness/socket/routes.mjs';
import { differs } from '../harness/target.mjs';

const server = await startServer();
after(() => server.stop());
const browser = await startBrowser();
after(() => browser.close());

const old = packageFile('engine.io-client-3/engine.io.js');
const current = packageFile('engine.io-client/dist/engine.io.js');

const oldest = bundleFile('engine.io-client@1.5.0');

const ways = {
  'XHR, 1.5': [oldest, { transports: ['polling'] }, 'polling'],
  'WebSocket, 1.5': [oldest, { transports: ['websocket'] }, 'websocket'],
  'upgrade, 1.5': [oldest, { transports: ['polling', 'websocket'] }, 'websocket'],
  'JSONP, 3.5': [old, { transports: ['polling'], forceJSONP: true }, 'polling'],
  'XHR, 3.5': [old, { transports: ['polling'] }, 'polling'],
  'XHR with base64, 3.5': [old, { transports: ['polling'], forceBase64: true }, 'polling'],
  'WebSocket, 3.5': [old, { transports: ['websocket'] }, 'websocket'],
  'upgrade, 3.5': [old, { transports: ['polling', 'websocket'] }, 'websocket'],
  'JSONP and upgrade, 3.5': [old, { transports: ['polling', 'websocket'], forceJSONP: true }, 'websocket'],
  'XHR, 6.6': [current, { transports: ['polling'] }, 'polling'],
  'WebSocket, 6.6': [current, { transports: ['websocket'] }, 'websocket'],
  'upgrade, 6.6': [current, { transports: ['polling', 'websocket'] }, 'websocket'],
};

/** A page of this origin with the client in it. */
async function pageWith(t, script, origin = server.url) {
  const page = await openPage(browser, t);
  await page.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
  await page.goto(`${origin}/plain`);
  await page.addScriptTag({ path: script });
  return page;
}

/** Runs in the page: connects, sends each message, and gives back the echoes. */
async function talk({ url, options, last, messages }) {
  const socket = window.eio(url, options);
  socket.binaryType = 'arraybuffer';
  const echoes = [];
  await new Promise((resolve, reject) => {
    const settle = () => socket.transport.name === last && resolve();
    socket.on('open', settle);
    socket.on('upgrade', settle);
    socket.on('close', (reason) => reject(new Error(`closed: ${reason}`)));
  });
  const done = new Promise((resolve, reject) => {
    socket.on('message', (data) => {
      echoes.push(data instanceof ArrayBuffer ? [...new Uint8Array(data)] : data);
      if (echoes.length === messages.length) resolve();
    });
    socket.on('close', (reason) => reject(new Error(`closed: ${reason}`)));
  });
  for (const message of messages) {
    socket.send(Array.isArray(message) ? Uint8Array.from(message).buffer : message);
  }
  await done;
  const { name } = socket.transport;
  socket.close();
  return { echoes, name };
}

describe('same origin', () => {
  for (const [name, [script, options, last]] of Object.entries(ways)) {
    test(`${name}: text, Unicode and binary, in order`, async (t) => {
      const page = await pageWith(t, script);
      // No carriage return: forms, and so JSONP, turn it into a line break.
      const text = ['hello', 'é€🦔 \u2028\u2029 "\\n\\\\n" \n', 'x'.repeat(100_000)];
      const messages = [...text, [1, 2, 3, 255, 0], 'last'];
      const settings = { ...options, path: '/sleepy/' };
      const got = await page.evaluate(talk, { url: server.url, options: settings, last, messages });
      assert.equal(got.name, last);
      assert.deepEqual(got.echoes, messages);
      assert.deepEqual(page.complaints, []);
    });
  }
});

/** Runs in the page: joins the root namespace, hears of something, and sends texts for their acknowledgements. */
async function ask({ url, options, last, texts }) {
  const socket = window.io(url, { ...options, reconnection: false });
  await new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    for (const event of ['connect_error', 'error']) socket.on(event, (error) => reject(new Error(String(error))));
  });
  const { engine } = socket.io;
  await new Promise((resolve) => {
    if (engine.transport.name === last) resolve();
    engine.on('upgrade', resolve);
  });
  const heard = new Promise((resolve) => socket.on('news', resolve));
  await window.tell();
  const news = await heard;
  const answers = [];
  for (const text of texts) {
    answers.push(await new Promise((resolve) => socket.emit('message-with-ack', text, resolve)));
  }
  const { name } = engine.transport;
  socket.disconnect();
  return { news, answers, name };
}

describe('old clients of Socket.IO, as they come', () => {
  const clients = {
    '1.3.5': bundleFile('socket.io-client@1.3.5'),
    '1.3.7': bundleFile('socket.io-client@1.3.7'),
    '1.4.8': bundleFile('socket.io-client@1.4.8'),
    '1.7.4': packageFile('socket.io-client-1/dist/socket.io.js'),
    '2.0.4': bundleFile('socket.io-client@2.0.4'),
    '2.5.0': packageFile('socket.io-client-2/dist/socket.io.js'),
  };
  const transports = { 'polling, then WebSocket': [undefined, 'websocket'], 'polling alone': [['polling'], 'polling'] };

  for (const [version, script] of Object.entries(clients)) {
    for (const [name, [chosen, last]] of Object.entries(transports)) {
      test(`${version}: ${name}`, async (t) => {
        const page = await pageWith(t, script);
        const news = 'é€🦔';
        await page.exposeFunction('tell', () => emitFromElsewhere(server, { path: '/io/', namespace: '/' }, 'news', news));
        // In a POST, clients up to 1.7 encode what is not ASCII twice. Nobody can tell
        // that from what others mean, and no server since has tried.
        const isGarbled = last === 'polling' && version.startsWith('1.');
        const texts = ['hello', ...(isGarbled ? [] : [news]), 'x'.repeat(10_000)];
        const options = { path: '/io/', ...(chosen && { transports: chosen }) };
        const got = await page.evaluate(ask, { url: server.url, options, last, texts });
        assert.deepEqual(got, { news, answers: texts, name: last });
        assert.deepEqual(page.complaints, []);
      });
    }
  }
});

describe('another origin', () => {
  // The same server by another name is another origin to a browser.
  const origin = server.url.replace('127.0.0.1', 'localhost');

  for (const name of ['XHR, 6.6', 'WebSocket, 6.6', 'XHR, 3.5', 'JSONP, 3.5']) {
    const [script, options, last] = ways[name];

    test(`${name}: connects where "*" lets it`, async (t) => {
      const page = await pageWith(t, script, origin);
      // The old client sends credentials unless told, and "*" allows none.
      const settings = { ...options, path: '/engine.io/', withCredentials: false };
      const messages = ['hello'];
      const got = await page.evaluate(talk, { url: server.url, options: settings, last, messages });
      assert.deepEqual(got.echoes, messages);
    });
  }

  const lenient = differs('leaves origins to others unless told');
  for (const name of ['XHR, 6.6', 'WebSocket, 6.6']) {
    const [script, options, last] = ways[name];

    test(`${name}: is refused where only the same origin may connect`, lenient, async (t) => {
      const page = await pageWith(t, script, origin);
      const settings = { ...options, path: '/sleepy/' };
      const talking = page.evaluate(talk, { url: server.url, options: settings, last, messages: ['hello'] });
      await assert.rejects(talking, /closed: transport error/);
    });
  }
});
