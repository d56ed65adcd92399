// The chat page. Everything that it knows is in `rooms`; what is shown is drawn
// from there whenever something changes.

import { io } from '/socket.io/socket.io.esm.min.js';

const TYPING_FOR = 3_000;

const element = (id) => document.getElementById(id);

/** name → { messages, people, typing, unread, draft } */
const rooms = new Map();
const kept = {
  name: localStorage.getItem('name') ?? '',
  rooms: JSON.parse(localStorage.getItem('rooms') ?? '["lobby"]'),
};
let current = kept.rooms[0] ?? 'lobby';
/** The id by which the others know us. */
let you;

const socket = io({ autoConnect: false });

// ── what the server says ──────────────────────────────────────────────────────

socket.on('connect', () => {
  show('connected');
  notice('');
  showTransport();
  socket.io.engine.on('upgrade', showTransport);
  // A connection that was recovered is in its rooms, and has had what it missed.
  if (!socket.recovered) for (const room of kept.rooms) enter(room);
  draw();
});
socket.on('disconnect', offline);
// What the library says of a network that is not there, people need not read.
socket.on('connect_error', (error) => (socket.active ? offline() : notice(error.message)));

function offline() {
  show('reconnecting');
  notice('No connection: trying again. What is said meanwhile comes when it is back.');
  draw();
}

socket.on('message', (message) => {
  const room = rooms.get(message.room);
  if (!room) return;
  room.typing.delete(message.name);
  put(room, message);
  if (message.room !== current || document.hidden) room.unread += 1;
  draw();
});
socket.on('entered', ({ room: name, person }) => {
  const room = rooms.get(name);
  if (!room) return;
  room.people = [...room.people.filter(({ id }) => id !== person.id), person];
  draw();
});
socket.on('left', ({ room, person }) => forget(person, [rooms.get(room)]));
socket.on('gone', ({ person }) => forget(person, [...rooms.values()]));
socket.on('renamed', ({ person }) => renamed(person));
socket.on('typing', ({ room: name, name: who, typing }) => {
  const room = rooms.get(name);
  if (!room) return;
  clearTimeout(room.typing.get(who));
  room.typing.delete(who);
  if (typing) {
    const stop = () => {
      room.typing.delete(who);
      draw();
    };
    room.typing.set(who, setTimeout(stop, TYPING_FOR + 1_000));
  }
  draw();
});

// ── what is said to the server ────────────────────────────────────────────────

async function ask(event, data) {
  const answer = await socket.timeout(10_000).emitWithAck(event, data);
  if (answer?.error) throw new Error(answer.error);
  return answer;
}

function open(name) {
  if (!rooms.has(name)) rooms.set(name, { messages: [], people: [], typing: new Map(), unread: 0, draft: '' });
}

async function enter(name) {
  open(name);
  try {
    const { you: id, history, people } = await ask('enter', { name: kept.name, room: name });
    you = id;
    const room = rooms.get(name);
    if (!room) return;
    room.people = people;
    room.entered = true;
    for (const message of history) put(room, message);
    notice('');
  } catch (error) {
    notice(error.message);
  }
  draw();
}

async function leave(name) {
  rooms.delete(name);
  remember();
  if (current === name) turnTo([...rooms.keys()][0]);
  draw();
  await ask('leave', { room: name }).catch((error) => notice(error.message));
}

async function say(name, text) {
  // Shown at once, and for certain when it is acknowledged.
  const pending = { room: name, name: kept.name, text, at: Date.now(), pending: true };
  const room = rooms.get(name);
  room.messages.push(pending);
  draw();
  try {
    const message = await ask('message', { room: name, text });
    room.messages.splice(room.messages.indexOf(pending), 1);
    put(room, message);
  } catch (error) {
    pending.failed = error.message;
  }
  draw();
}

async function rename(name) {
  kept.name = name;
  localStorage.setItem('name', name);
  await ask('rename', { name }).catch((error) => notice(error.message));
  renamed({ id: you, name });
}

function renamed({ id, name }) {
  for (const { people } of rooms.values()) {
    for (const person of people) if (person.id === id) person.name = name;
  }
  draw();
}

/** Somebody is no longer in these rooms. */
function forget({ id: gone }, where) {
  for (const room of where) if (room) room.people = room.people.filter(({ id }) => id !== gone);
  draw();
}

/** A message in its place; one that is there already, as after a recovery, is there once. */
function put(room, message) {
  if (room.messages.some(({ id }) => id === message.id)) return;
  const after = room.messages.findIndex(({ id }) => id > message.id);
  room.messages.splice(after < 0 ? room.messages.length : after, 0, message);
}

function remember() {
  kept.rooms = [...rooms.keys()];
  localStorage.setItem('rooms', JSON.stringify(kept.rooms));
}

// ── what is shown ─────────────────────────────────────────────────────────────

function draw() {
  const room = rooms.get(current);
  if (room && !document.hidden) room.unread = 0;
  const unread = [...rooms.values()].reduce((sum, { unread }) => sum + unread, 0);
  document.title = `${unread > 0 ? `(${unread}) ` : ''}${current ?? 'Chat'} · Dormouse`;
  element('title').textContent = current ?? 'No room';
  element('leave').hidden = !room;
  element('say').hidden = !room;
  element('send').disabled = !socket.connected;
  element('chat').classList.toggle('offline', !socket.connected);
  element('messages').dataset.empty = room?.entered && room.messages.length === 0 ? 'Nobody has said anything here yet.' : '';
  element('rooms').replaceChildren(...[...rooms].map(roomItem));
  element('people').replaceChildren(...(room?.people ?? []).map(personItem));
  drawMessages(room?.messages ?? []);
  const typing = [...(room?.typing.keys() ?? [])];
  element('messages').dataset.typing = typing.length > 0 ? `${typing.join(', ')} ${typing.length > 1 ? 'are' : 'is'} typing …` : '';
}

function roomItem([name, { unread }]) {
  const button = make('button', { className: 'room', textContent: name });
  button.setAttribute('aria-current', String(name === current));
  if (unread > 0) button.append(make('span', { className: 'unread', textContent: unread }));
  button.addEventListener('click', () => {
    turnTo(name);
    closeMenu();
    draw();
    element('text').focus();
  });
  const item = make('li');
  item.append(button);
  return item;
}

/** Shows another room, whose field has what was being written there. */
function turnTo(name) {
  const field = element('text');
  const before = rooms.get(current);
  if (before) before.draft = field.value;
  if (field.value) tellTyping(false);
  current = name;
  field.value = rooms.get(name)?.draft ?? '';
  fit(field);
}

function personItem({ id, name }) {
  const item = make('li', { textContent: name });
  if (id === you) item.append(make('span', { className: 'quiet', textContent: ' (you)' }));
  return item;
}

let drawn;

function drawMessages(messages) {
  const list = element('messages');
  const state = JSON.stringify([current, messages]);
  if (state === drawn) return;
  drawn = state;
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const same = list.dataset.room === current;
  list.dataset.room = current;
  list.replaceChildren(...messages.map(messageItem));
  if (atEnd || !same) list.scrollTop = list.scrollHeight;
}

function messageItem({ name, text, at, pending, failed }, index, all) {
  const item = make('li');
  const own = name === kept.name;
  item.className = [own && 'own', pending && 'pending', failed && 'failed'].filter(Boolean).join(' ');
  const before = all[index - 1];
  if (before?.name !== name || at - before.at > 300_000) {
    const time = make('time', { textContent: clock(at), dateTime: new Date(at).toISOString() });
    const who = make('p', { className: 'who', textContent: `${name} ` });
    who.append(time);
    item.append(who);
  }
  item.append(make('p', { className: 'text', textContent: text }));
  if (failed) item.append(make('p', { className: 'why', textContent: `not sent: ${failed}` }));
  return item;
}

const clock = (at) => new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });

const make = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);

function show(state) {
  const badge = element('state');
  const recovered = state === 'connected' && socket.recovered;
  badge.textContent = recovered ? 'connected again, nothing missed' : state;
  badge.dataset.state = state;
  badge.dataset.recovered = String(recovered);
}

function showTransport() {
  const name = socket.io.engine.transport.name;
  element('transport').textContent = name;
  element('transport').dataset.transport = name;
}

function notice(text) {
  element('notice').textContent = text;
}

// ── what people do ────────────────────────────────────────────────────────────

element('say').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = element('text');
  const text = field.value.trim();
  if (!socket.connected) return;
  if (text) say(current, text);
  field.value = '';
  fit(field);
  tellTyping(false);
});

element('text').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  element('say').requestSubmit();
});

let told = 0;

element('text').addEventListener('input', ({ target }) => {
  fit(target);
  if (Date.now() - told > TYPING_FOR) tellTyping(target.value !== '');
});

function tellTyping(typing) {
  told = typing ? Date.now() : 0;
  if (rooms.has(current)) socket.volatile.emit('typing', { room: current, typing });
}

/** As high as what is written in it. */
function fit(field) {
  field.style.height = 'auto';
  field.style.height = `${Math.min(field.scrollHeight, 160)}px`;
}

element('add').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = element('room').value.trim();
  element('room').value = '';
  if (!name) return;
  const isNew = !rooms.has(name);
  open(name);
  turnTo(name);
  if (isNew && socket.connected) enter(name);
  remember();
  closeMenu();
  draw();
});

element('leave').addEventListener('click', () => leave(current));

element('name').value = kept.name;
element('name').addEventListener('change', ({ target }) => {
  const name = target.value.trim();
  if (name) rename(name);
  else target.value = kept.name;
});
element('me').addEventListener('submit', (event) => {
  event.preventDefault();
  element('name').blur();
});

element('menu').addEventListener('click', () => {
  element('chat').classList.add('open');
  element('menu').setAttribute('aria-expanded', 'true');
  element('close').focus();
});
for (const id of ['close', 'shade']) element(id).addEventListener('click', closeMenu);
document.addEventListener('keydown', ({ key }) => key === 'Escape' && closeMenu());

function closeMenu() {
  element('chat').classList.remove('open');
  element('menu').setAttribute('aria-expanded', 'false');
}

document.addEventListener('visibilitychange', draw);

function start() {
  for (const name of kept.rooms) open(name);
  draw();
  socket.connect();
}

if (kept.name) {
  start();
} else {
  const welcome = element('welcome');
  welcome.addEventListener('cancel', (event) => event.preventDefault());
  welcome.addEventListener('close', () => {
    kept.name = element('first').value.trim() || 'somebody';
    localStorage.setItem('name', kept.name);
    element('name').value = kept.name;
    start();
  });
  welcome.showModal();
}
