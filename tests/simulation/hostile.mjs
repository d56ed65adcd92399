// Clients that mean harm: malformed, unfinished and oversized packets, floods, sessions
// that nobody reads or fetches, sids that were never issued. Nothing that they get is
// judged, but that they get it: the honest clients beside them must not be able to tell
// that they are there, and when nobody listens to them any more, they must be gone.

import { Network } from './client/network.mjs';
import { decode } from '../harness/engine/payload.mjs';

const SEPARATOR = '\x1e';
/** A body that is never finished, a poll that is dropped: nobody waits for the answer. */
const HOSTILE = { isHostile: true };
const LARGE = 60_000;

/** Frames and packets that are wrong, or nearly right. `R` is random text. */
const NONSENSE = [
  '',
  '4',
  '9',
  '49',
  '0{}',
  '1x',
  '2probe',
  '3probe',
  '5',
  '6',
  '4€',
  '\ud800',
  '42["connect"]',
  '42/chat,["disconnect",1]',
  '42/nowhere,["message"]',
  '42["message"',
  '42{"message":1}',
  '4299999999999999999["message"]',
  '43/chat,7[]',
  '44{"message":"no"}',
  '451-["message"]',
  '4510-["message",{"_placeholder":true,"num":0}]',
  '45999999-["message"]',
  '451-["message",{"_placeholder":true,"num":5}]',
  '40/chat,{"__proto__":{"a":1}}',
  '40/chat',
  '40/unknown-{"level":"error"}\n,',
  '41/chat,',
  '41,',
  `42["message",${'['.repeat(9_000)}`,
  `42["message",${'['.repeat(9_000)}${']'.repeat(9_000)}]`,
  `40/${'n'.repeat(LARGE)},`,
  `42["${'e'.repeat(LARGE)}"]`,
  '42["typed",1]',
  '42["_placeholder",{"_placeholder":true,"num":0}]',
  Buffer.alloc(0),
  Buffer.of(4),
  Buffer.alloc(LARGE, 0xff),
];

/** Packets that are right, and cost something. None reaches anybody else. */
const DEMANDS = [
  '42["message","again"]',
  '42["big",40000]',
  '42["join",["red","green","blue"]]',
  '42["leave","red"]',
  '42["set-data",{"name":"nobody"}]',
  '421["rooms"]',
  '42["slow",2000,1]',
  '42["ask",2000,"question"]',
  '42["burst",50]',
  '40/chat,',
  '41/chat,',
  '40/dynamic-7,{"name":"nobody"}',
  `42["message","${'x'.repeat(LARGE)}"]`,
  '452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]',
];

export class Hostile {
  #stream;
  #isDone = false;
  /** WebSockets that it has opened and the server has not closed, with their revision. */
  #sockets = new Map();

  constructor(world, name, path) {
    Object.assign(this, { world, name, path });
    this.#stream = `hostile ${name}`;
    this.network = new Network(world, name, { delays: [1, 40] });
  }

  /** Does harm until a moment, over and over. */
  start(end) {
    const next = () => {
      if (this.#isDone || this.world.loop.now > end) return;
      this.#attack();
      this.world.loop.after(this.#pick([50, 500, 4_000, 20_000]), next);
    };
    this.world.loop.after(this.#integer(0, 4_000), next);
  }

  /** Its connections break, all of them. */
  leave() {
    this.#isDone = true;
    this.network.cutAll();
  }

  /** It has said nothing for minutes. Old clients are judged when something wakes the object. */
  checkGone() {
    for (const [socket, revision] of this.#sockets) {
      if (revision === 4 && !socket.link.closing)
        this.world.oracle.violation(`${this.name} is silent, and keeps its WebSocket`);
    }
  }

  #pick(values) {
    return this.world.random.pick(this.#stream, values);
  }

  #integer(low, high) {
    return this.world.random.integer(this.#stream, low, high);
  }

  #attack() {
    const revision = this.#pick([4, 4, 3]);
    this.#pick([babble, flood, refuseToRead, post, crowd, probe, stray]).call(this, new Means(this, revision));
  }

  // Used by its means.

  request(spec, done = () => {}) {
    this.network.request({ ...HOSTILE, longest: Infinity, ...spec }, (answer) => !this.#isDone && done(answer));
  }

  opened(socket, revision) {
    this.#sockets.set(socket, revision);
    socket.onclose = () => this.#sockets.delete(socket);
  }
}

/** What one attack can do: sessions of one revision. */
class Means {
  constructor(hostile, revision) {
    Object.assign(this, { hostile, revision });
  }

  pick(values) {
    return this.hostile.world.random.pick(`hostile ${this.hostile.name}`, values);
  }

  some(values, count) {
    return Array.from({ length: count }, () => this.pick(values));
  }

  url(transport, sid) {
    const { path } = this.hostile;
    return `${path}?EIO=${this.revision}&transport=${transport}${sid ? `&sid=${sid}` : ''}`;
  }

  /** A WebSocket: of a new session, or for one. */
  socket(use, sid) {
    this.hostile.request({ path: this.url('websocket', sid), upgrade: true }, (answer) => {
      if (!answer?.socket) return;
      this.hostile.opened(answer.socket, this.revision);
      use(answer.socket);
    });
  }

  /** A session via polling, by its sid. */
  polling(use) {
    this.hostile.request({ path: this.url('polling') }, (answer) => {
      if (answer?.status !== 200) return;
      use(JSON.parse(decode(this.revision, answer)[0].slice(1)).sid);
    });
  }

  post(sid, body, more) {
    this.hostile.request({ method: 'POST', path: this.url('polling', sid), body, ...more });
  }

  poll(sid) {
    this.hostile.request({ path: this.url('polling', sid) });
  }

  /** Packets as the body of a `POST`; bytes are left out. */
  payload(packets) {
    const texts = packets.filter((packet) => typeof packet === 'string');
    if (this.revision === 4) return texts.join(SEPARATOR);
    return texts.map((text) => `${text.length}:${text}`).join('');
  }

  join() {
    return this.revision === 4 ? ['40', '40/chat,'] : ['40/chat,'];
  }
}

function babble(means) {
  const isMember = means.pick([true, false]);
  means.socket((socket) => {
    if (isMember) for (const packet of means.join()) socket.send(packet);
    for (const frame of means.some(NONSENSE, 5)) socket.send(frame);
  });
}

function flood(means) {
  means.socket((socket) => {
    for (const packet of means.join()) socket.send(packet);
    for (const frame of means.some(DEMANDS, 60)) socket.send(frame);
  });
}

/** It asks for much, and answers no ping. */
function refuseToRead(means) {
  means.socket((socket) => {
    for (const packet of means.join()) socket.send(packet);
    for (let asked = 0; asked < 10; asked += 1) socket.send('42["big",40000]');
  });
}

function post(means) {
  const how = means.pick([{}, { chunked: true }, { isUnfinished: true }, { isUnfinished: true, chunked: true }]);
  const packets = [...means.join(), ...means.some(means.pick([NONSENSE, DEMANDS]), 40)];
  means.polling((sid) => means.post(sid, means.payload(packets), how));
}

/** More requests at once than a client may make. */
function crowd(means) {
  const kind = means.pick(['posts', 'polls']);
  means.polling((sid) => {
    for (let count = 0; count < 18; count += 1) {
      if (kind === 'polls') means.poll(sid);
      else means.post(sid, means.payload(['40']), { isUnfinished: count % 2 === 0 });
    }
  });
}

/** Upgrades that are never finished, several at once. */
function probe(means) {
  const frames = means.some(['2probe', '2probe', '5', '3probe', '4', '2x'], 4);
  means.polling((sid) => {
    means.poll(sid);
    for (let count = 0; count < 3; count += 1) {
      means.socket((socket) => frames.forEach((frame) => socket.send(frame)), sid);
    }
  });
}

/** Requests for sessions that are nobody's. */
function stray(means) {
  for (const sid of ['', 'x', '__proto__', 'A'.repeat(59), `${'_'.repeat(43)}${'-'.repeat(16)}`]) {
    means.poll(encodeURIComponent(sid) || ' ');
    means.post(sid || '%00', '4');
    means.socket(() => {}, sid || '%00');
  }
}
