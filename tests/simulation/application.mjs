// What the application was told, by the lines that it writes: who is there, and
// who has gone. Each coming has one going, and nobody goes who was not there. And which
// alarms have gone off: each one that is set does.

export class ApplicationView {
  #here = new Map();
  /** Alarms that it was told are set, and how often the handler of each has returned. */
  #alarms = new Set();
  #done = new Map();
  /** The sessions of sockets, whose ids say in which object they are. */
  #sessions = new Map();

  constructor(violation) {
    this.violation = violation;
  }

  /** A line on the console. */
  hears(line) {
    if (line.startsWith('{"level":"info","event":"join"')) {
      const { socket, sid } = JSON.parse(line);
      this.#sessions.set(socket, sid);
    }
    if (!line.startsWith('{"event"')) return;
    const { event, socket, recovered, name } = JSON.parse(line);
    if (event === 'alarm done') this.#done.set(name, (this.#done.get(name) ?? 0) + 1);
    else if (event === 'connected') this.#connected(socket, recovered);
    else if (event === 'disconnecting') this.#step(socket, 'here', 'going', event);
    else if (event === 'disconnected') this.#step(socket, 'going', 'gone', event);
    else if (event === 'expired') this.#step(socket, 'gone', 'expired', event);
  }

  #connected(socket, recovered) {
    const before = this.#here.get(socket);
    const isFine = recovered ? before === 'gone' || before === 'cut off' : before !== 'here';
    if (!isFine) this.violation(`socket ${socket} came, and was ${before}`);
    this.#here.set(socket, 'here');
  }

  #step(socket, from, to, event) {
    const before = this.#here.get(socket);
    if (before !== from && before !== 'cut off')
      this.violation(`the application was told of ${socket}: ${event}, and it was ${before}`);
    this.#here.set(socket, to);
  }

  /** An alarm is set for certain. */
  alarmSet(name) {
    this.#alarms.add(name);
  }

  /** Alarms that never went off. */
  get silentAlarms() {
    return [...this.#alarms].filter((name) => !this.#done.has(name));
  }

  /** Alarms that went off several times, which only one that was cut off may. */
  get repeatedAlarms() {
    return [...this.#done].filter(([, count]) => count > 1).map(([name]) => name);
  }

  /** An object was cut off without a word: its sockets may have gone or not. */
  cutOff(object) {
    // The last character of these is partly of what follows.
    const beginning = Buffer.from(object, 'hex').toString('base64url').slice(0, 42);
    for (const [socket, state] of this.#here) {
      const place = this.#sessions.get(socket) ?? socket;
      if (state !== 'expired' && place.includes(beginning)) this.#here.set(socket, 'cut off');
    }
  }

  /** Those of whose going it was never told. */
  get stillHere() {
    return [...this.#here]
      .filter(([, state]) => state === 'here' || state === 'going')
      .map(([socket]) => socket);
  }
}
