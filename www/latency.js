// The latency page: sends a numbered message to the echo, waits for it to come
// back, shows how long that took, and does it again a second later.

import { Socket } from '/vendor/engine.io.esm.min.js';
import { draw } from './graph.js';

const PAUSE = 1_000;
const WINDOW = 120;
/** So many samples have a 95th percentile. */
const ENOUGH = 20;
const RECONNECT_AFTER = [1, 2, 4, 8]; // seconds, the last one again and again

const choices = {
  upgrade: ['polling', 'websocket'],
  polling: ['polling'],
  websocket: ['websocket'],
};
const asked = new URLSearchParams(location.search).get('transports');
const choice = Object.hasOwn(choices, asked ?? '') ? asked : 'upgrade';

const element = (id) => document.getElementById(id);
/** The last round trips, `undefined` where a connection ended. */
const samples = [];
let count = 0;
let attempts = 0;

function connect() {
  show('connecting');
  const socket = new Socket({ path: '/engine.io/', transports: choices[choice] });
  let sequence = 0;
  let sentAt;
  let next;

  const send = () => {
    sequence += 1;
    sentAt = performance.now();
    socket.send(String(sequence));
  };
  socket.on('open', () => {
    attempts = 0;
    show('open');
    showTransport(socket.transport.name);
    element('sid').textContent = socket.id;
    send();
  });
  socket.on('upgrade', (transport) => showTransport(transport.name));
  socket.on('message', (text) => {
    // Anything else is not the answer to what was sent last.
    if (text !== String(sequence)) return;
    add({ time: performance.now() - sentAt, transport: socket.transport.name });
    next = setTimeout(send, PAUSE);
  });
  socket.on('close', (reason) => {
    clearTimeout(next);
    const seconds = RECONNECT_AFTER[Math.min(attempts, RECONNECT_AFTER.length - 1)];
    attempts += 1;
    show('closed', `closed (${reason}), again in ${seconds} s`);
    showTransport();
    element('sid').textContent = '–';
    if (samples.at(-1)) samples.push(undefined);
    setTimeout(connect, seconds * 1_000);
  });
}

function add(sample) {
  samples.push(sample);
  if (samples.length > WINDOW) samples.shift();
  count += 1;

  const times = samples.filter(Boolean).map(({ time }) => time).sort((a, b) => a - b);
  const quantile = (part) => times[Math.max(Math.ceil(part * times.length) - 1, 0)];
  const numbers = { rtt: sample.time, median: quantile(0.5), p95: quantile(0.95), max: quantile(1) };
  for (const [id, time] of Object.entries(numbers)) {
    element(id).textContent = `${time.toFixed(time < 100 ? 1 : 0)} ms`;
  }
  // Of fewer, it would be the maximum.
  if (times.length < ENOUGH) element('p95').textContent = `after ${ENOUGH}`;
  element('count').textContent = count;
  redraw();
}

function show(state, text = state) {
  element('state').dataset.state = state;
  element('state').textContent = text;
}

function showTransport(name = '') {
  element('transport').dataset.transport = name;
  element('transport').textContent = name || '–';
}

function redraw() {
  draw(element('graph'), samples, WINDOW);
}

for (const link of document.querySelectorAll('[data-transports]')) {
  if (link.dataset.transports === choice) link.setAttribute('aria-current', 'page');
}
new ResizeObserver(redraw).observe(element('graph'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
connect();
