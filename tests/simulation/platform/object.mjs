// A Durable Object: what the platform keeps of it, and the one incarnation of it
// that is awake, if any. Whatever an incarnation sends leaves when its writes are
// safe, and not before: the output gate.

import { ServerSocket } from './websocket.mjs';
import { Storage } from './storage.mjs';

/** After so long without an event an object that can sleep does. */
const SLEEP_AFTER = 10_000;
const ALARM_RETRY = 2_000;
/** An instance that has a successor elsewhere lives on for this long at most. */
const OLD_FOR = 30_000;
/** A call on its way to an object takes less than this. */
const MADE_AFTER = 3;

export class ObjectHost {
  links = new Set();
  pair = null;
  incarnation;
  #gate = [];
  #alarm;
  #sleeping;
  /** Its storage has failed in earnest: nothing leaves any more, and it is about to end. */
  isBroken = false;
  /** How often it was cut off, and how often it went on elsewhere. */
  ends = 0;
  moves = 0;
  /** Instances that live on beside their successor. */
  #old = new Set();
  /** What the simulation counts. */
  counts = { alarms: 0, wakes: 0, events: 0 };

  constructor(platform, id) {
    this.platform = platform;
    this.id = id;
    this.storage = new Storage({
      fails: (word) => this.platform.faults.storageFails(this, word),
      onWrite: () => this.platform.loop.after(this.platform.faults.commitDelay(), () => this.#commit()),
      onAlarm: (at) => this.planAlarm(at),
    });
  }

  /** Whether it orders the events of rooms, and has no clients. */
  get isHub() {
    return / [hl] /.test(this.name);
  }

  /** Whether it logs them. */
  get logs() {
    return this.name.includes(' l ');
  }

  /** The incarnation that is awake, made if there is none. */
  awake() {
    if (this.incarnation) return this.incarnation;
    const { platform } = this;
    const isolate = platform.isolateOf(this);
    const incarnation = {
      host: this,
      isolate,
      timers: new Set(),
      pending: new Set(),
      sockets: new Set(),
      calls: 0,
      dead: false,
    };
    this.incarnation = incarnation;
    this.counts.wakes += 1;
    platform.context = incarnation;
    platform.trace(`object ${this.name} awakes`);
    const { Dormouse } = isolate.exports;
    incarnation.instance = new Dormouse(this.#state(incarnation), platform.env);
    incarnation.free = isolate.lastRegistered;
    return incarnation;
  }

  /** Something happens in the object. What it throws is told, and no more. */
  event(run) {
    const incarnation = this.awake();
    this.platform.context = incarnation;
    this.counts.events += 1;
    this.#planSleep();
    try {
      return run(incarnation.instance, incarnation);
    } catch (error) {
      this.platform.uncaught(error);
      return Promise.reject(error);
    }
  }

  #state(incarnation) {
    return {
      id: { toString: () => this.id },
      storage: this.storage.face(() => this.#checkOld(incarnation)),
      acceptWebSocket: (socket, tags = []) => {
        const link = ServerSocket.linkOf(socket);
        Object.assign(link, { object: this, isHibernating: true, tags: [...tags] });
        this.links.add(link);
      },
      getWebSockets: (tag) => {
        const links = [...this.links].filter((link) => link.isHibernating && !incarnation.isOld);
        return links
          .filter((link) => tag === undefined || link.tags.includes(tag))
          .map((link) => link.server());
      },
      setWebSocketAutoResponse: (pair) => (this.pair = pair ?? null),
      getWebSocketAutoResponse: () => this.pair,
      getWebSocketAutoResponseTimestamp: (socket) => {
        const { answeredAt } = ServerSocket.linkOf(socket);
        return answeredAt === null ? null : new Date(answeredAt);
      },
      waitUntil: () => {},
    };
  }

  // Requests.

  fetch(request) {
    return this.#request((instance) => instance.fetch(request));
  }

  /** A call of another part of the Worker. */
  call(method, args) {
    return this.#request((instance) => instance[method](...args));
  }

  /** A call that began its way to an instance which is an old one by now. */
  callOld(method, args) {
    const [incarnation] = this.#old;
    return this.#request((instance) => instance[method](...args), incarnation);
  }

  get hasOld() {
    return this.#old.size > 0;
  }

  #request(run, old) {
    return new Promise((resolve, reject) => {
      let incarnation;
      const waiting = { reject };
      const settle = (act) => {
        if (incarnation.dead) return;
        this.output(() => incarnation.pending.delete(waiting) && act(), incarnation);
      };
      const begin = (instance, awake) => {
        incarnation = awake;
        awake.pending.add(waiting);
        return run(instance);
      };
      const answer = old ? this.#eventOfOld(old, begin) : this.event(begin);
      Promise.resolve(answer).then(
        (response) => settle(() => resolve(response)),
        (error) => settle(() => reject(error)),
      );
    });
  }

  // WebSockets.

  /** A frame of a client, or its end, has arrived. */
  receive(link, frame) {
    if (link.ended) return;
    if (frame.data === undefined) return this.#receiveEnd(link, frame);
    if (link.isHibernating) {
      if (frame.data === this.pair?.request) return this.#answerByItself(link);
      const data = typeof frame.data === 'string' ? frame.data : bufferOf(frame.data);
      this.event((instance) => instance.webSocketMessage(link.server(), data));
      return;
    }
    const data = typeof frame.data === 'string' ? frame.data : bufferOf(frame.data);
    this.#dispatch(link, 'message', { data });
  }

  /** A listener that throws ends the object, as it does on workerd. */
  #dispatch(link, type, fields) {
    this.event(() => {
      try {
        link.server().dispatch(type, fields);
      } catch (error) {
        this.platform.uncaught(error);
        this.platform.loop.after(0, () => this.incarnation && this.crash('a listener threw'));
      }
    });
  }

  #answerByItself(link) {
    link.answeredAt = this.platform.time(this);
    link.emit({ data: this.pair.response });
  }

  #receiveEnd(link, { close, lost }) {
    const socket = link.server();
    if (!link.isHibernating) {
      this.#dispatch(link, lost ? 'error' : 'close', { code: close });
    } else if (lost === 'error') {
      this.event((instance) => instance.webSocketError(socket));
    } else {
      this.event((instance) => instance.webSocketClose(socket, close));
    }
    link.ended = lost !== undefined;
    this.links.delete(link);
    this.incarnation?.sockets.delete(link);
    // What the object says in answer may take it a moment: after a panic, until the next
    // instance is made.
    const moment = this.platform.hasPanicked ? MADE_AFTER : 0;
    this.platform.loop.after(moment, () => this.#endOf(link));
  }

  #endOf(link) {
    if (!link.closing && !link.ended) this.platform.unanswered(link);
    // It may still be on its way through the gate.
    this.platform.output(this, () => {
      link.ended = true;
    });
  }

  /** A WebSocket that is to be kept awake. */
  acceptAwake(link) {
    link.object = this;
    this.incarnation.sockets.add(link);
    this.links.add(link);
  }

  // The output gate.

  /** Something leaves, of `incarnation` if it may be an old one: that has nothing to write. */
  output(act, incarnation) {
    if (incarnation?.dead) return;
    const waits = this.storage.dirty || this.isBroken || this.#gate.length > 0;
    if (waits && !incarnation?.isOld) this.#gate.push(act);
    else act();
  }

  #commit() {
    if (!this.storage.dirty || this.isBroken) return;
    if (this.platform.faults.commitFails(this)) {
      this.crash('its writes failed');
      return;
    }
    this.platform.context = this.incarnation;
    this.storage.commit();
    if (this.incarnation) this.incarnation.inAlarm = false;
    for (const act of this.#gate.splice(0)) act();
  }

  // The alarm.

  planAlarm(at) {
    const { platform } = this;
    platform.loop.cancel(this.#alarm);
    this.#alarm = undefined;
    if (at === null) return;
    const due = platform.trueTime(at, this) + platform.faults.alarmDelay(this);
    this.#alarm = platform.loop.at(due, () => this.#ring());
  }

  get hasAlarm() {
    return this.storage.alarm !== null;
  }

  #ring() {
    this.#alarm = undefined;
    this.storage.takeAlarm();
    this.counts.alarms += 1;
    this.platform.trace(`object ${this.name} alarm`);
    this.ringOnce();
    if (this.platform.faults.alarmTwice(this)) {
      this.platform.loop.after(50, () => this.ringOnce());
    }
  }

  ringOnce() {
    const incarnation = this.awake();
    incarnation.inAlarm = true;
    const rung = this.event((instance) => instance.alarm());
    Promise.resolve(rung).then(
      () => {
        if (!this.storage.dirty && !this.isBroken) incarnation.inAlarm = false;
      },
      () => this.#ringAgain(),
    );
  }

  #ringAgain() {
    this.platform.loop.after(ALARM_RETRY, () => this.ringOnce());
  }

  // Sleep, and worse.

  get canSleep() {
    const { incarnation } = this;
    if (!incarnation || this.isBroken || this.storage.dirty || this.#gate.length > 0) return false;
    if (incarnation.calls > 0) return false;
    return incarnation.pending.size === 0 && incarnation.timers.size === 0 && incarnation.sockets.size === 0;
  }

  /** What was written last cannot be kept, and so the object cannot go on. */
  breakDown() {
    if (this.isBroken) return;
    this.isBroken = true;
    this.platform.loop.after(0, () => this.crash('its storage failed'));
  }

  /** What it has called for has come: it has something to do. */
  stir() {
    if (this.incarnation) this.#planSleep();
  }

  #planSleep() {
    const { loop } = this.platform;
    loop.cancel(this.#sleeping);
    this.#sleeping = loop.after(SLEEP_AFTER, () => {
      this.#sleeping = undefined;
      if (this.canSleep && this.platform.faults.maySleep()) this.sleep();
      else if (this.incarnation) this.#planSleep();
    });
  }

  /** The incarnation is forgotten; its WebSockets hibernate. */
  sleep() {
    this.platform.trace(`object ${this.name} sleeps`);
    this.platform.hears.slept(this);
    this.#forget();
    for (const link of this.links) link.forgetServer();
  }

  /** It ends without warning: what is not safe is lost, and every connection cut. */
  crash(why) {
    this.platform.trace(`object ${this.name} is cut off: ${why}`);
    const { incarnation } = this;
    this.#cutOff(incarnation);
    if (incarnation) this.#forget();
    this.#reset(incarnation);
  }

  /**
   * It goes on elsewhere: what comes in from now on goes to another instance, while this
   * one, which is cut off, does not know until it touches its storage.
   */
  move(why) {
    const { incarnation } = this;
    if (!incarnation) return this.crash(why);
    this.platform.trace(`object ${this.name} moves: ${why}`);
    this.#cutOff(incarnation);
    incarnation.isOld = true;
    this.incarnation = undefined;
    this.moves += 1;
    this.#old.add(incarnation);
    this.platform.loop.after(OLD_FOR, () => this.#endOld(incarnation));
    return undefined;
  }

  #cutOff(incarnation) {
    this.platform.crashed(this);
    this.ends += 1;
    this.storage.rollback();
    this.isBroken = false;
    this.#gate = [];
    if (incarnation?.inAlarm) this.#ringAgain();
    for (const link of this.links) link.drop();
    this.links.clear();
    this.pair = null;
    // A write that was taken back may have set another alarm.
    this.planAlarm(this.storage.alarm);
  }

  #reset(incarnation) {
    const error = Object.assign(new Error('The object was reset.'), { retryable: true });
    for (const waiting of incarnation?.pending ?? []) waiting.reject(error);
  }

  #eventOfOld(incarnation, run) {
    this.platform.context = incarnation;
    try {
      return run(incarnation.instance, incarnation);
    } catch (error) {
      if (!incarnation.dead) this.platform.uncaught(error);
      return Promise.reject(error);
    }
  }

  /** An old instance has touched its storage, or its time is over. */
  #endOld(incarnation) {
    if (incarnation.dead) return;
    this.platform.trace(`the old instance of object ${this.name} ends`);
    this.#old.delete(incarnation);
    this.#end(incarnation);
    this.#reset(incarnation);
  }

  #checkOld(incarnation) {
    if (!incarnation.isOld) return;
    this.#endOld(incarnation);
    throw new Error('The object has moved to another machine.');
  }

  #forget() {
    const { incarnation } = this;
    this.incarnation = undefined;
    this.#end(incarnation);
  }

  #end(incarnation) {
    incarnation.dead = true;
    for (const timer of incarnation.timers) this.platform.clearTimeout(timer);
    if (incarnation.free && this.platform.faults.isCollected()) incarnation.isolate.guarded(incarnation.free);
  }
}

function bufferOf(bytes) {
  return Uint8Array.from(bytes).buffer;
}
