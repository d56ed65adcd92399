// The server's structured log: one JSON object for each lifecycle event.

import { within } from './wait.mjs';

export class Logs {
  lines = [];
  events = [];
  #watchers = new Set();
  #readers = new Set();

  /** Takes what the runtime printed; lines that are not JSON are kept as text. */
  write(message) {
    for (const line of String(message).split('\n')) {
      if (line === '') continue;
      this.lines.push(line);
      for (const reader of this.#readers) reader(line);
      const event = parse(line);
      if (event) {
        this.events.push(event);
        for (const watcher of this.#watchers) watcher(event);
      }
    }
  }

  /** Events that have all the given fields: `find({ sid, event: 'disconnect' })`. */
  find(fields) {
    return this.events.filter((event) => matches(event, fields));
  }

  /** The first such event, now or later. */
  async waitFor(fields) {
    const [known] = this.find(fields);
    if (known) return known;
    let watcher;
    const seen = new Promise((resolve) => {
      watcher = (event) => matches(event, fields) && resolve(event);
      this.#watchers.add(watcher);
    });
    return within(seen, `log event ${JSON.stringify(fields)}`).finally(() =>
      this.#watchers.delete(watcher),
    );
  }

  /** The first line, now or later, that matches a pattern: an application's, or the runtime's. */
  async waitForLine(pattern) {
    const known = this.lines.find((line) => pattern.test(line));
    if (known) return known;
    let reader;
    const seen = new Promise((resolve) => {
      reader = (line) => pattern.test(line) && resolve(line);
      this.#readers.add(reader);
    });
    return within(seen, `line that matches ${pattern}`).finally(() => this.#readers.delete(reader));
  }

  /** Why the server says that this session ended. */
  async reason(sid) {
    return (await this.waitFor({ event: 'disconnect', sid })).reason;
  }
}

function parse(line) {
  try {
    const value = JSON.parse(line);
    return value !== null && typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}

function matches(event, fields) {
  return Object.entries(fields).every(([name, value]) => event[name] === value);
}
