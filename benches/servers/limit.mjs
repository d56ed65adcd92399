// The limit: a Durable Object by hand that only shuffles the bytes. It speaks as
// much of both protocols as the benchmarks need and checks nothing: no heartbeats,
// no errors, nothing that survives sleep but rooms. What a server on this platform
// costs at least is what this one costs.

import { DurableObject } from 'cloudflare:workers';

export class Limit extends DurableObject {
  #polling = new Map();

  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (searchParams.get('transport') === 'polling') return this.#poll(request, searchParams.get('sid'));
    const [client, server] = Object.values(new WebSocketPair());
    this.#accept(server, pathname);
    const old = searchParams.get('sid');
    if (old) {
      this.#polling.delete(old);
      server.serializeAttachment({ sid: old, rooms: [] });
      return new Response(null, { status: 101, webSocket: client });
    }
    const sid = crypto.randomUUID();
    server.serializeAttachment({ sid, rooms: [], isEngine: pathname === '/engine.io/' });
    const open = { sid, upgrades: [], pingInterval: 85_000, pingTimeout: 60_000, maxPayload: 1_000_000 };
    server.send(`0${JSON.stringify(open)}`);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** On one path, its WebSockets keep it awake. */
  #accept(server, pathname) {
    if (pathname !== '/awake/') return this.ctx.acceptWebSocket(server);
    server.accept();
    server.addEventListener('message', ({ data }) => this.webSocketMessage(server, data));
    server.addEventListener('close', () => this.webSocketClose(server));
  }

  async #poll(request, sid) {
    if (!sid) {
      const id = crypto.randomUUID();
      this.#polling.set(id, { queue: [], waiting: undefined });
      const open = { sid: id, upgrades: [], pingInterval: 85_000, pingTimeout: 60_000, maxPayload: 1_000_000 };
      return new Response(`0${JSON.stringify(open)}`);
    }
    const session = this.#polling.get(sid);
    if (request.method === 'GET') {
      if (session.queue.length === 0) await new Promise((resolve) => (session.waiting = resolve));
      return new Response(session.queue.splice(0).join('\x1e'));
    }
    const message = await request.text();
    if (message === '40') session.queue.push(`40${JSON.stringify({ sid })}`);
    else if (message === '1') this.#polling.delete(sid);
    else session.queue.push(`42${JSON.stringify(['echo', JSON.parse(message.slice(2))[1]])}`);
    session.waiting?.();
    return new Response('ok');
  }

  webSocketMessage(socket, message) {
    if (typeof message !== 'string') return this.#attachment(socket, message);
    if (socket.isEngine ?? (socket.isEngine = socket.deserializeAttachment().isEngine)) {
      return socket.send(message);
    }
    switch (message.slice(0, 2)) {
      case '40':
        return socket.send(`40${JSON.stringify({ sid: socket.deserializeAttachment().sid })}`);
      case '42':
        return this.#event(socket, message);
      case '43':
        return this.#answer(socket, message);
      case '2p':
        return socket.send('3probe');
    }
  }

  webSocketClose(socket) {
    this.#rooms = undefined;
    socket.close();
  }

  #event(socket, message) {
    const start = message.indexOf('[');
    const id = message.slice(2, start);
    const [name, ...args] = JSON.parse(message.slice(start));
    switch (name) {
      case 'echo':
        return socket.send(`42${JSON.stringify(['echo', args[0]])}`);
      case 'ack':
        return socket.send(`43${id}${JSON.stringify([args[0]])}`);
      case 'ask':
        socket.asked = id;
        return socket.send(`421${JSON.stringify(['question', args[0]])}`);
      case 'join':
        return this.#join(socket, args[0], id);
      case 'leave':
        return this.#leave(socket, args[0], id);
      case 'cast': {
        const text = `42${JSON.stringify(['cast', args[1]])}`;
        for (const member of this.#members(args[0])) member.send(text);
      }
    }
  }

  #answer(socket, message) {
    const [answer] = JSON.parse(message.slice(message.indexOf('[')));
    socket.send(`43${socket.asked}${JSON.stringify([answer])}`);
  }

  #attachment(socket, bytes) {
    socket.send(`451-${JSON.stringify(['bytes', { _placeholder: true, num: 0 }])}`);
    socket.send(bytes);
  }

  #rooms;

  #members(room) {
    if (!this.#rooms) {
      this.#rooms = new Map();
      for (const socket of this.ctx.getWebSockets()) {
        for (const name of socket.deserializeAttachment().rooms) this.#enter(name, socket);
      }
    }
    return this.#rooms.get(room) ?? [];
  }

  #enter(room, socket) {
    if (!this.#rooms.has(room)) this.#rooms.set(room, new Set());
    this.#rooms.get(room).add(socket);
  }

  #join(socket, room, id) {
    const attachment = socket.deserializeAttachment();
    attachment.rooms.push(room);
    socket.serializeAttachment(attachment);
    if (this.#rooms) this.#enter(room, socket);
    socket.send(`43${id}[]`);
  }

  #leave(socket, room, id) {
    const attachment = socket.deserializeAttachment();
    attachment.rooms = attachment.rooms.filter((other) => other !== room);
    socket.serializeAttachment(attachment);
    this.#rooms?.get(room)?.delete(socket);
    socket.send(`43${id}[]`);
  }
}

export default {
  fetch(request, { LIMIT }) {
    return LIMIT.get(LIMIT.idFromName(new URL(request.url).pathname)).fetch(request);
  },
};
