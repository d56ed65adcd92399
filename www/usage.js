// The usage page: what wakes the object of the chat, and what that costs. The object tells it
// when it is awake anyway, and forgets it when it sleeps; so its lives are added up here.

import { io } from '/socket.io/socket.io.esm.min.js';

/** An object sleeps so long after the last that has happened. */
const SLEEPS_AFTER = 10_000;
/** It tells no more often than once a second. */
const LOOK_AFTER = 1_200;
const MONTH = 30 * 24 * 3_600_000;
/** Of less time, a month would be a guess. */
const ENOUGH = 60_000;

const reasons = {
  handshake: 'A client connected',
  upgrade: 'A client changed to WebSocket',
  poll: 'A client polled',
  post: 'A client sent something via polling',
  message: 'A client sent something over WebSocket',
  close: 'A client left',
  call: 'Another part of the Worker called',
  alarm: 'The alarm: heartbeats that are due',
  panic: 'A handler panicked',
};

const element = (id) => document.getElementById(id);

const NOTHING = { wokenBy: {}, requests: 0, calls: 0, messages: 0, rowsWritten: 0, nanodollars: 0 };
/** What the object has done in the lives that are over, and in this one. */
let past = NOTHING;
let current = { life: undefined, usage: NOTHING };
/** When the first report came, and what was spent by then. */
let first;
let sleeping;
let looking;

const socket = io('/usage', { transports: ['websocket'] });
socket.on('connect', () => lookSoon());
socket.on('disconnect', () => {
  clearTimeout(sleeping);
  clearTimeout(looking);
  show('closed', 'no connection');
});
socket.on('connect_error', (error) => {
  if (!socket.active) show('closed', error.message);
});

socket.on('report', ({ people, rooms, watching, life, usage, nanodollars }) => {
  show('awake');
  clearTimeout(sleeping);
  sleeping = setTimeout(() => show('asleep'), SLEEPS_AFTER);
  for (const [id, count] of Object.entries({ people, rooms, watching })) element(id).textContent = count;
  // What comes within a second of a wake-up is told later. An alarm is alone.
  if (life !== current.life) {
    if (first && usage.wokenBy.alarm === 0) lookSoon();
    past = total();
  }
  current = { life, usage: { ...usage, nanodollars } };
  first ??= { at: performance.now(), nanodollars };
  draw();
});

function lookSoon() {
  clearTimeout(looking);
  looking = setTimeout(() => socket.volatile.emit('look'), LOOK_AFTER);
}

/** The sum over all lives. */
const total = () => plus(past, current.usage);

function plus(a, b) {
  const add = (a, b) => (typeof b === 'object' ? plus(a ?? {}, b) : (a ?? 0) + b);
  return { ...a, ...Object.fromEntries(Object.entries(b).map(([name, value]) => [name, add(a[name], value)])) };
}

function draw() {
  const { wokenBy, requests, calls, messages, rowsWritten } = total();
  const counts = Object.entries(wokenBy)
    .filter(([, count]) => count > 0)
    .sort(([, a], [, b]) => b - a);
  const wakes = counts.reduce((sum, [, count]) => sum + count, 0);
  const numbers = { wakes, requests: requests + calls, messages, rows: rowsWritten };
  for (const [id, number] of Object.entries(numbers)) element(id).textContent = number.toLocaleString('en');
  element('reasons').replaceChildren(...counts.map(([reason, count]) => bar(reason, count, counts[0][1])));
  element('dollars').textContent = dollars(spent() / 1e9);
  drawMonth();
}

/** In billionths of a dollar. */
const spent = () => total().nanodollars;

function drawMonth() {
  if (!first) return;
  const time = performance.now() - first.at;
  const month = ((spent() - first.nanodollars) / 1e9) * (MONTH / time);
  element('month').textContent = time < ENOUGH ? '–' : `$${month.toFixed(2)}`;
}

function bar(reason, count, most) {
  const item = document.createElement('li');
  item.dataset.reason = reason;
  const name = document.createElement('span');
  name.textContent = reasons[reason] ?? reason;
  const line = document.createElement('span');
  line.className = 'bar';
  line.style.setProperty('--part', count / most);
  const number = document.createElement('span');
  number.className = 'count';
  number.textContent = count.toLocaleString('en');
  item.append(name, line, number);
  return item;
}

/** Small amounts with as many digits as say something. */
function dollars(amount) {
  if (amount === 0) return '$0';
  const digits = Math.min(Math.max(1 - Math.floor(Math.log10(amount)), 2), 9);
  return `$${amount.toFixed(digits)}`;
}

function show(state, text = state) {
  element('state').dataset.state = state;
  element('state').textContent = text;
}

setInterval(drawMonth, 1_000);
