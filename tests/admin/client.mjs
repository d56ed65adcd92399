// Whoever watches, without the UI: what its pages send and hear.

import { Player, newest } from '../harness/clients/socket.mjs';

export const PASSWORD = 'correct horse battery staple';

const EVENTS = [
  'session',
  'config',
  'server_stats',
  'all_sockets',
  'socket_connected',
  'socket_updated',
  'socket_disconnected',
  'room_joined',
  'room_left',
  'event_received',
  'event_sent',
];

/** Somebody who has been let in, and hears everything from the beginning. */
export async function watch(server, { path = '/admin-all/', namespace = '/admin', library = newest, auth, ...options } = {}) {
  const credentials = auth ?? { username: 'admin', password: PASSWORD };
  const settings = { path, namespace, auth: credentials, transports: ['websocket'], ...options };
  const admin = new Player(server, library, settings).listen(...EVENTS);
  await admin.connected();
  return admin;
}

/** The next event of which the arguments are as wanted; those before it are left out. */
export async function nextOf(admin, event, isWanted) {
  for (;;) {
    const args = await admin.next(event);
    if (isWanted(...args)) return args;
  }
}
