// The server's structured log: one JSON object for each lifecycle event.

import { within } from '../wait.mjs';

export class Logs {
  lines = [];
  events = [];
  #watchers = new Set();

  /** Takes what the runtime printed; lines that are not JSON are kept as text. */
  write(message) {
    for (const line of String(message).split('\n')) {
      if (line === '') continue;
      this.lines.push(line);
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
