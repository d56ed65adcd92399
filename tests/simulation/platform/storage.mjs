// An object's storage: SQLite in memory, with the alarm beside it. Writes are in
// one transaction until they are safe, so that a crash can take them back.

import { DatabaseSync } from 'node:sqlite';

const TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'";

export class Storage {
  #database;
  #statements = new Map();
  #safeAlarm = null;
  #alarm = null;
  written = 0;

  /** `fails(word)` says whether a statement is to fail that begins so; `onWrite` hears of writes. */
  constructor({ fails, onWrite, onAlarm }) {
    this.fails = fails;
    this.onWrite = onWrite;
    this.onAlarm = onAlarm;
    this.dirty = false;
  }

  get #open() {
    this.#database ??= new DatabaseSync(':memory:');
    return this.#database;
  }

  exec(query, bindings) {
    const [word] = query.trim().toLowerCase().split(' ');
    if (this.fails(word)) throw new Error('database or disk is full: SQLITE_FULL');
    if (word !== 'select') this.#begin();
    return this.#run(query, bindings.map(toSqlite)).map((row) => row.map(fromSqlite));
  }

  #run(query, bindings) {
    const statement = this.#statements.get(query) ?? this.#open.prepare(query);
    this.#statements.set(query, statement);
    statement.setReturnArrays(true);
    return statement.all(...bindings);
  }

  /** Reads past all faults: for the simulation's own checks. */
  look(query, ...bindings) {
    try {
      return this.#open.prepare(query).all(...bindings);
    } catch {
      return []; // A table that was never made.
    }
  }

  #begin() {
    this.written += 1;
    if (this.dirty) return;
    this.#open.exec('BEGIN');
    this.dirty = true;
    this.onWrite();
  }

  get alarm() {
    return this.#alarm;
  }

  setAlarm(at) {
    if (this.fails('alarm')) throw new Error('storage cannot be written');
    this.#begin();
    this.#alarm = at;
  }

  /** With the present compatibility dates, the alarm is part of it. */
  deleteAll() {
    this.#begin();
    for (const { name } of this.#open.prepare(TABLES).all()) this.#open.exec(`DROP TABLE "${name}"`);
    this.#statements.clear();
    this.#alarm = null;
  }

  /** The alarm is being delivered: it is set no longer. */
  takeAlarm() {
    this.#alarm = null;
    this.#safeAlarm = null;
  }

  commit() {
    if (!this.dirty) return;
    this.#open.exec('COMMIT');
    this.dirty = false;
    this.#safeAlarm = this.#alarm;
    this.onAlarm(this.#alarm);
  }

  rollback() {
    if (!this.dirty) return;
    this.#statements.clear();
    this.#open.exec('ROLLBACK');
    this.dirty = false;
    this.#alarm = this.#safeAlarm;
  }

  close() {
    this.#statements.clear();
    this.#database?.close();
  }

  /** What an instance of the object sees of it; `check` throws if it may not. */
  face(check) {
    return {
      sql: {
        exec: (query, ...bindings) => {
          check();
          const rows = this.exec(query, bindings);
          return { raw: () => ({ toArray: () => rows }) };
        },
      },
      deleteAlarm: async () => {
        check();
        this.#begin();
        this.#alarm = null;
      },
      deleteAll: async () => {
        check();
        this.deleteAll();
      },
      getAlarm: async () => {
        check();
        return this.#alarm;
      },
      setAlarm: (at) => {
        try {
          check();
          this.setAlarm(Number(at));
          return Promise.resolve();
        } catch (error) {
          return Promise.reject(error);
        }
      },
    };
  }
}

function toSqlite(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return value === undefined ? null : value;
}

function fromSqlite(value) {
  if (!(value instanceof Uint8Array)) return value;
  return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength);
}
