// npm's socket.io with the benchmarks' application, as one of several processes that are
// one server by Redis, which listens at the socket that is named.

import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';

const publisher = createClient({ socket: { path: process.argv[2] } });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const server = createServer();
const io = new Server(server, {
  adapter: createAdapter(publisher, subscriber),
  pingInterval: 85_000,
  pingTimeout: 60_000,
  serveClient: false,
});
io.on('connection', (socket) => {
  socket.on('join', async (room, ack) => {
    await socket.join(room);
    ack();
  });
  socket.on('cast', (room, text) => {
    io.to(room).emit('cast', text);
  });
  socket.on('whisper', (room, text, ack) => {
    io.to(room).except('deaf').emit('cast', text);
    ack();
  });
});
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
