// npm's socket.io on Node, with the benchmarks' application.

import { createServer } from 'node:http';
import { Server as Engine } from 'engine.io';
import { Server } from 'socket.io';

const options = { pingInterval: 85_000, pingTimeout: 60_000 };
const server = createServer();

for (const path of ['/socket.io/', '/few/', '/many/', '/most/', '/awake/']) {
  const io = new Server(server, { ...options, path, serveClient: false });
  io.on('connection', (socket) => {
    socket.on('echo', (text) => socket.emit('echo', text));
    socket.on('bytes', (bytes) => socket.emit('bytes', bytes));
    socket.on('ack', (text, ack) => ack(text));
    socket.on('ask', async (text, ack) => ack(await socket.emitWithAck('question', text)));
    socket.on('join', (room, ack) => {
      socket.join(room);
      ack();
    });
    socket.on('leave', (room, ack) => {
      socket.leave(room);
      ack();
    });
    socket.on('cast', (room, text) => {
      io.to(room).emit('cast', text);
    });
  });
}

const engine = new Engine(options);
engine.on('connection', (socket) => socket.on('message', (message) => socket.send(message)));
engine.attach(server, { path: '/engine.io/' });

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: server.address().port })));
