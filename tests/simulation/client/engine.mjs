// A client of Engine.IO, either revision, written from the protocol: by polling,
// by WebSocket, or from the one to the other.

import { decode, encode, encodeBinary } from '../../harness/engine/payload.mjs';

export class EngineClient {
  sid;
  /** connecting, open, closing or closed. */
  state = 'connecting';
  transport;
  #buffer = [];
  #socket;
  #probe;
  #poll;
  #post;
  #pausing = false;
  #timers = new Set();
  #liveness;

  /** `hears`: `opened`, `message(data)`, `closed(reason)`, `violation(text)`. */
  constructor(network, { path, revision, mode, binaryPosts = false, chunked = false }, hears) {
    Object.assign(this, { network, path, revision, mode, binaryPosts, chunked, hears });
    this.world = network.world;
  }

  open() {
    if (this.mode === 'websocket') this.#openSocket();
    else this.#handshake();
  }

  #url(transport) {
    const sid = this.sid ? `&sid=${this.sid}` : '';
    return `${this.path}?EIO=${this.revision}&transport=${transport}${sid}`;
  }

  #after(delay, run) {
    const timer = this.world.loop.after(delay, () => {
      this.#timers.delete(timer);
      run();
    });
    this.#timers.add(timer);
    return timer;
  }

  #cancel(timer) {
    this.world.loop.cancel(timer);
    this.#timers.delete(timer);
  }

  // Opening.

  #handshake() {
    this.transport = 'polling';
    this.#poll = this.network.request({ path: this.#url('polling'), isHandshake: true }, (answer) => {
      this.#poll = undefined;
      if (this.state !== 'connecting') return;
      if (answer?.status !== 200)
        return this.#end(answer ? `handshake answered ${answer.status}` : 'handshake lost');
      const [packet, ...others] = this.#decode(answer);
      if (others.length > 0) this.hears.violation('a handshake with more than one packet');
      this.#opened(packet);
    });
  }

  #openSocket() {
    this.transport = 'websocket';
    const spec = { path: this.#url('websocket'), upgrade: true, isHandshake: true };
    this.#poll = this.network.request(spec, (answer) => {
      this.#poll = undefined;
      if (this.state !== 'connecting') return answer?.socket?.close();
      if (!answer?.socket)
        return this.#end(answer ? `handshake answered ${answer.status}` : 'handshake lost');
      this.#socket = answer.socket;
      this.#listen(this.#socket);
    });
  }

  #listen(socket) {
    socket.onframe = (data) => this.#packet(this.#unframe(data));
    socket.onclose = (code) => this.#end(`WebSocket closed with ${code}`);
  }

  #opened(packet) {
    if (packet?.[0] !== '0') return this.hears.violation(`a session that opens with ${packet}`);
    const handshake = JSON.parse(packet.slice(1));
    this.sid = handshake.sid;
    this.interval = handshake.pingInterval;
    this.timeout = handshake.pingTimeout;
    this.state = 'open';
    this.#beat();
    this.hears.opened();
    if (this.state !== 'open') return;
    this.#nextPoll();
    if (this.mode === 'upgrade' && handshake.upgrades.includes('websocket')) {
      this.#after(this.world.random.between(`client ${this.network.name}`, 0, 800), () => this.#upgrade());
    }
    this.#flush();
  }

  // Heartbeats.

  #beat() {
    this.#cancel(this.#liveness);
    if (this.revision === 4) {
      this.#liveness = this.#after(this.interval + this.timeout, () => this.#end('no ping'));
      return;
    }
    this.#liveness = this.#after(this.interval, () => {
      this.#write('2');
      this.#liveness = this.#after(this.timeout, () => this.#end('no pong'));
    });
  }

  // Packets.

  #packet(packet) {
    if (this.state === 'closed') return;
    if (this.state === 'connecting') return this.#opened(packet);
    if (typeof packet !== 'string') return this.hears.message(packet);
    const [type, data] = [packet[0], packet.slice(1)];
    if (type === '4') this.hears.message(data);
    else if (type === '1') this.#end('closed by the server');
    else if (type === '2' && this.revision === 4) {
      this.#beat();
      this.#write(`3${data}`);
    } else if (type === '3' && this.revision === 3) this.#beat();
    else if (type !== '6') this.hears.violation(`a packet that no client expects: ${packet}`);
  }

  /** Sends a message: a text, or bytes. */
  send(data) {
    this.#write(typeof data === 'string' ? `4${data}` : data);
  }

  #write(packet) {
    if (this.state !== 'open') return;
    this.#buffer.push(packet);
    this.#flush();
  }

  #flush() {
    if (this.#pausing || this.#buffer.length === 0 || this.state === 'closed') return;
    if (this.transport === 'websocket') {
      for (const packet of this.#buffer.splice(0)) this.#socket?.send(this.#frame(packet));
    } else if (!this.#post) {
      this.#sendPost(this.#buffer.splice(0));
    }
  }

  #frame(packet) {
    if (typeof packet === 'string' || this.revision === 4) return packet;
    return Buffer.concat([Buffer.of(4), packet]);
  }

  #unframe(data) {
    if (typeof data === 'string' || this.revision === 4) return data;
    if (data[0] !== 4) this.hears.violation('a binary frame that is no message');
    return data.subarray(1);
  }

  // Polling.

  #decode(answer) {
    try {
      return decode(this.revision, answer);
    } catch (error) {
      this.hears.violation(error.message);
      return [];
    }
  }

  #nextPoll() {
    if (this.transport !== 'polling' || this.#poll || this.#pausing || this.state !== 'open') return;
    const duplicate = this.world.faults.duplicatesPoll(this);
    const spec = { path: this.#url('polling') };
    this.#poll = this.network.request(spec, (answer) => this.#polled(answer));
    if (duplicate) this.network.request({ ...spec, isDuplicate: true }, () => {});
  }

  #polled(answer) {
    this.#poll = undefined;
    if (this.state === 'closed') return;
    if (answer?.status !== 200) return this.#end(answer ? `poll answered ${answer.status}` : 'poll lost');
    if (answer.text === '') this.hears.violation('an empty poll');
    for (const packet of this.#decode(answer)) this.#packet(packet);
    if (this.#pausing) this.#finishUpgrade();
    else this.#nextPoll();
  }

  #sendPost(packets) {
    const isBinary =
      this.revision === 3 && this.binaryPosts && packets.some((packet) => typeof packet !== 'string');
    const body = isBinary ? encodeBinary(packets) : encode(this.revision, packets);
    const contentType = isBinary ? 'application/octet-stream' : undefined;
    const spec = { method: 'POST', path: this.#url('polling'), body, contentType, chunked: this.chunked };
    this.#post = this.network.request(spec, (answer) => {
      this.#post = undefined;
      if (this.state === 'closed') return;
      if (answer?.status !== 200) return this.#end(answer ? `post answered ${answer.status}` : 'post lost');
      if (answer.text !== 'ok') this.hears.violation(`a POST answered with ${answer.text}`);
      if (this.state === 'closing' && this.#buffer.length === 0) return this.#end('closed');
      if (this.#pausing) this.#finishUpgrade();
      else this.#flush();
    });
  }

  // The upgrade.

  #upgrade() {
    if (this.state !== 'open') return;
    const spec = { path: this.#url('websocket'), upgrade: true };
    this.#probe = this.network.request(spec, (answer) => {
      this.#probe = undefined;
      const socket = answer?.socket;
      if (this.state !== 'open') return socket?.close();
      if (!socket) return;
      this.#socket = socket;
      socket.onclose = () => this.#upgradeFailed();
      socket.onframe = (data) => {
        if (data !== '3probe') return this.hears.violation(`a probe answered with ${data}`);
        this.#pausing = true;
        this.#finishUpgrade();
      };
      socket.send('2probe');
    });
  }

  #upgradeFailed() {
    this.#socket = undefined;
    this.#pausing = false;
    this.#nextPoll();
    this.#flush();
  }

  /** When nothing is under way by polling any more. */
  #finishUpgrade() {
    if (this.#poll || this.#post || this.state !== 'open' || this.transport !== 'polling') return;
    this.#listen(this.#socket);
    this.#socket.send('5');
    this.transport = 'websocket';
    this.#pausing = false;
    this.#flush();
  }

  // The end.

  /** The client ends the session in good order. */
  close() {
    if (this.state !== 'open') return this.#end('closed');
    if (this.transport === 'websocket') {
      this.#socket.close();
      return this.#end('closed');
    }
    this.#pausing = false;
    this.#buffer.push('1');
    this.state = 'closing';
    this.#flush();
  }

  #end(reason) {
    if (this.state === 'closed') return;
    this.state = 'closed';
    for (const timer of this.#timers) this.world.loop.cancel(timer);
    this.#socket?.close();
    for (const exchange of [this.#poll, this.#post, this.#probe]) if (exchange) this.network.drop(exchange);
    this.hears.closed(reason);
  }
}
