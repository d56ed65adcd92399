// What one object has done that is billed. It is kept beside the object, where
// sleep does not reach it.

import { wallTime } from './clock.mjs';

/**
 * What an instance of an object is waiting for. One that is aborted never hears of the end of
 * it, and another instance begins with nothing.
 */
class Pending {
  /** Requests that are not answered yet. */
  requests = 0;
  /** Timers that have not gone off yet. */
  timers = 0;
  /** Calls to storage that have not returned yet. */
  storage = 0;
  /** Its own requests, to elsewhere, that are not over yet. */
  fetching = 0;
}

export class Ledger {
  constructor(id) {
    /** The object's id, in hexadecimal. */
    this.id = id;
    /** When the alarm goes off. */
    this.alarm = null;
    /** The heartbeat that the runtime answers by itself. */
    this.paired = null;
    this.pending = new Pending();
    /** Bytes of its database, when it was last called. */
    this.database = 0;
    /** The most bytes that a statement has had in its rows, taken all at once. */
    this.largestRead = 0;
    /** Whether it is in memory, as far as is known. */
    this.isAwake = false;
    /** When it was last called. What the runtime answers by itself is no call. */
    this.lastCall = 0;
    /** The WebSockets that a ping was sent to, by the runtime's time, and no sign has come of. */
    this.pinged = new Map();
    /** Cursors whose rows are not counted yet. */
    this.cursors = [];
    this.counts = {
      // The object was made, or woken from its sleep.
      wakes: 0,
      // What it was called for.
      fetches: 0,
      messages: 0,
      closes: 0,
      alarms: 0,
      // Rows; setting the alarm writes one, too.
      alarmsSet: 0,
      rowsWritten: 0,
      rowsRead: 0,
      // SQL statements, whatever they found: each takes its time; and the bytes that
      // they were given.
      statements: 0,
      bytesBound: 0,
      // The whole storage was deleted.
      deletions: 0,
      // Its own requests to elsewhere, and the bytes of their bodies.
      fetched: 0,
      bytesFetched: 0,
      // Messages that went out, which are free, and their bytes.
      sent: 0,
      bytesSent: 0,
      // Milliseconds of wall time in which it was running.
      running: 0,
      // Milliseconds of simulated time in which it could not sleep.
      held: 0,
    };
  }

  /** Whether it could not go to sleep now, however long nothing happens. */
  get isBusy() {
    return Object.values(this.pending).some((count) => count > 0);
  }

  /** There is another instance of the object. */
  wake() {
    this.pending = new Pending();
    this.pinged.clear();
    this.isAwake = true;
    this.counts.wakes += 1;
  }

  /** Time passes without anything happening. */
  pass(ms) {
    if (this.isBusy) this.counts.held += ms;
  }

  fallAsleep() {
    this.isAwake = false;
    this.pinged.clear();
  }

  /** Runs something of the object's, and counts for how long. */
  measure(run) {
    const began = wallTime();
    try {
      return run();
    } finally {
      this.counts.running += wallTime() - began;
    }
  }

  /** A call to storage: the object runs on until it returns. */
  async call(promise) {
    const { pending } = this;
    pending.storage += 1;
    const began = wallTime();
    try {
      return await promise;
    } finally {
      pending.storage -= 1;
      this.counts.running += wallTime() - began;
    }
  }

  report() {
    this.#countRows();
    const { id, alarm, paired, pending, database, largestRead, isBusy, isAwake, lastCall, pinged, counts } = this;
    const state = { isBusy, isAwake, lastCall, pinged: pinged.size };
    return { id, alarm, paired, ...pending, database, largestRead, ...state, counts };
  }

  // A cursor knows its rows once they have been taken from it.
  #countRows() {
    for (const cursor of this.cursors.splice(0)) {
      this.counts.rowsWritten += cursor.rowsWritten;
      this.counts.rowsRead += cursor.rowsRead;
    }
  }
}
