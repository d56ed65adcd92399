import { io } from './socket.io.esm.min.js';

const room = new URLSearchParams(location.search).get('room') ?? 'lobby';
const name = prompt('Who are you?') || 'somebody';
const socket = io({ auth: { name } });
const find = (id) => document.getElementById(id);

const show = (text, className = '') => {
  const line = Object.assign(document.createElement('li'), { textContent: text, className });
  find('messages').append(line);
};

socket.on('connect', () => {
  socket.emit('enter', room, (people) => (find('people').textContent = `In ${room}: ${people.join(', ')}`));
});
socket.on('connect_error', ({ message }) => show(message, 'note'));
socket.on('message', (who, text) => show(`${who}: ${text}`));
socket.on('entered', (who) => show(`${who} has come`, 'note'));
socket.on('left', (who) => show(`${who} has gone`, 'note'));

let fading;
socket.on('typing', (who) => {
  find('typing').textContent = `${who} is typing …`;
  clearTimeout(fading);
  fading = setTimeout(() => (find('typing').textContent = '\u00a0'), 2000);
});

find('text').addEventListener('input', () => socket.volatile.emit('typing'));
find('form').addEventListener('submit', (event) => {
  event.preventDefault();
  socket.emit('message', find('text').value);
  find('text').value = '';
});
