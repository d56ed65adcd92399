// A user who chats in a room, with a stock client that reconnects by itself, and records
// what was said, what was acknowledged, and what was heard.

import assert from 'node:assert/strict';
import { within } from '#dormouse-test/wait.mjs';
import { Player } from './socket.mjs';

const LONGEST_RETURN = 30_000;
const LOST = Symbol('lost');

export class Chatter {
  /** Numbers that this one has said, and those of them that were acknowledged. */
  said = 0;
  acknowledged = [];
  /** What this one has heard: numbers by speaker, in order. */
  heard = new Map();
  connections = 0;
  recoveries = 0;
  #away = true;
  #back = Promise.withResolvers();

  constructor(server, library, { name, room, transports, path = '/recovery/' }) {
    const reconnecting = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 500 };
    Object.assign(this, { name, room, library });
    this.player = new Player(server, library, { path, transports, ...reconnecting, auth: { name } });
    const { socket } = this.player;
    socket.on('chat', (speaker, number) => this.#hear(speaker, number));
    socket.on('connect', () => this.#enter().catch(this.#back.reject));
    socket.on('disconnect', () => this.#leave());
  }

  get isRecoverable() {
    return this.library.protocol === 5;
  }

  #hear(speaker, number) {
    if (!this.heard.has(speaker)) this.heard.set(speaker, []);
    this.heard.get(speaker).push(number);
  }

  async #enter() {
    this.connections += 1;
    if (this.player.socket.recovered) this.recoveries += 1;
    // A new socket is not in any room.
    else if ((await this.#ask('join', this.room)) === LOST) return;
    this.#away = false;
    this.#back.resolve();
  }

  #leave() {
    if (this.#away) return;
    this.#away = true;
    this.#back = Promise.withResolvers();
  }

  /** The acknowledgement, or that there will be none. */
  #ask(...event) {
    const acknowledged = this.player.ask(...event);
    const lost = new Promise((resolve) => this.player.socket.once('disconnect', () => resolve(LOST)));
    acknowledged.catch(() => {});
    return Promise.race([acknowledged, lost]);
  }

  /** Says something until `count` more have been acknowledged, whatever happens meanwhile. */
  async chat(count) {
    const enough = this.acknowledged.length + count;
    while (this.acknowledged.length < enough) {
      const number = (this.said += 1);
      const answer = await this.#ask('cast', { to: [this.room] }, 'chat', this.name, number);
      // Who is cut off does not know whether it has been heard.
      if (answer === LOST) await this.returned();
      else this.acknowledged.push(number);
    }
  }

  /** Connected, and in its room. */
  returned() {
    return within(this.#back.promise, `return of ${this.name}`, LONGEST_RETURN);
  }

  /** All that was on its way before has arrived. */
  async caughtUp() {
    assert.deepEqual(await this.player.ask('echo-nothing'), []);
  }

  /** No speaker was heard twice, or in another order than it spoke. */
  assertOrder() {
    for (const [speaker, numbers] of this.heard) {
      const isAscending = numbers.every((number, index) => index === 0 || number > numbers[index - 1]);
      assert.ok(isAscending, `${this.name} heard of ${speaker}: ${numbers}`);
    }
  }

  /** Whatever this speaker was promised to have said was heard. */
  assertHeard({ name, room, acknowledged }) {
    if (name === this.name || room !== this.room) return;
    const heard = new Set(this.heard.get(name));
    const missed = acknowledged.filter((number) => !heard.has(number));
    assert.deepEqual(missed, [], `${this.name} has missed of ${name}`);
  }

  leave() {
    this.player.close();
  }
}
