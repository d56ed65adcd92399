// The classes of the web that the Worker uses, as far as it does: without
// streams, timers or anything else of Node's that runs by itself.

export class FakeHeaders {
  #values = new Map();

  constructor(init = {}) {
    for (const [name, value] of Object.entries(init)) this.set(name, value);
  }

  get(name) {
    return this.#values.get(name.toLowerCase()) ?? null;
  }

  has(name) {
    return this.#values.has(name.toLowerCase());
  }

  set(name, value) {
    this.#values.set(name.toLowerCase(), String(value));
  }

  append(name, value) {
    const before = this.get(name);
    this.set(name, before === null ? value : `${before}, ${value}`);
  }

  delete(name) {
    this.#values.delete(name.toLowerCase());
  }

  entries() {
    return this.#values.entries();
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  plain() {
    return Object.fromEntries(this.#values);
  }
}

/** Bytes that arrive over time, and may stop to. */
export class Body {
  #chunks = [];
  #state = 'open';
  #readers = [];
  #platform;

  constructor(platform) {
    this.#platform = platform;
  }

  static of(bytes) {
    const body = new Body();
    if (bytes.length > 0) body.push(bytes);
    body.end();
    return body;
  }

  push(bytes) {
    this.#chunks.push(Uint8Array.from(bytes));
    this.#wake();
  }

  end() {
    if (this.#state === 'open') this.#state = 'ended';
    this.#wake();
  }

  fail() {
    if (this.#state === 'open') this.#state = 'failed';
    this.#wake();
  }

  #wake() {
    for (const reader of this.#readers.splice(0)) {
      if (reader.context?.dead) continue;
      if (this.#platform) this.#platform.context = reader.context;
      this.#serve(reader);
    }
  }

  #serve(reader) {
    if (this.#chunks.length > 0) reader.resolve({ done: false, value: this.#chunks.shift() });
    else if (this.#state === 'ended') reader.resolve({ done: true, value: undefined });
    else if (this.#state === 'failed') reader.reject(new Error('Network connection lost.'));
    else this.#readers.push(reader);
  }

  read() {
    const context = this.#platform?.context;
    return new Promise((resolve, reject) => this.#serve({ resolve, reject, context }));
  }

  cancel() {
    this.#state = 'ended';
    return Promise.resolve();
  }

  async bytes() {
    const chunks = [];
    for (;;) {
      const { done, value } = await this.read();
      if (done) return new Uint8Array(Buffer.concat(chunks));
      chunks.push(value);
    }
  }
}

class Message {
  constructor(body, headers) {
    this.source = bodyOf(body, headers);
    this.headers = headers;
  }

  get body() {
    return this.source && { getReader: () => this.source };
  }

  async arrayBuffer() {
    return this.source ? (await this.source.bytes()).buffer : new ArrayBuffer(0);
  }

  async text() {
    return Buffer.from(await this.arrayBuffer()).toString();
  }
}

function bodyOf(body, headers) {
  if (body === null || body === undefined) return null;
  if (body instanceof Body) return body;
  if (typeof body === 'string' && !headers.has('content-type')) {
    headers.set('content-type', 'text/plain;charset=UTF-8');
  }
  return Body.of(typeof body === 'string' ? Buffer.from(body) : new Uint8Array(body));
}

export class FakeRequest extends Message {
  constructor(url, { method = 'GET', headers, body, signal, cf } = {}) {
    super(body, headers instanceof FakeHeaders ? headers : new FakeHeaders(headers));
    this.url = url;
    this.method = method;
    this.signal = signal ?? new Signal();
    this.cf = cf;
  }

  /** The same request on its next hop: another object, with the same body. */
  passedOn() {
    const { url, method, source, signal, cf } = this;
    return new FakeRequest(url, {
      method,
      headers: new FakeHeaders(this.headers.plain()),
      body: source,
      signal: signal.follower(),
      cf,
    });
  }
}

export class FakeResponse extends Message {
  constructor(body, { status = 200, headers, webSocket } = {}) {
    super(body, headers instanceof FakeHeaders ? headers : new FakeHeaders(headers));
    this.status = status;
    this.webSocket = webSocket;
  }

  static error() {
    return new FakeResponse(null, { status: 500 });
  }
}

/** An AbortSignal, which the platform fires when the client lets go. */
export class Signal {
  #listener;
  #followers = [];
  #platform;
  aborted = false;

  constructor(platform) {
    this.#platform = platform;
  }

  set onabort(listener) {
    this.#listener = { listener, context: this.#platform?.context };
  }

  /** The signal of the next hop. */
  follower() {
    const signal = new Signal(this.#platform);
    this.#followers.push(signal);
    return signal;
  }

  abort() {
    if (this.aborted) return;
    this.aborted = true;
    this.#followers.forEach((signal) => signal.abort());
    if (this.#listener) {
      const { listener, context } = this.#listener;
      this.#platform.runIn(context, () => listener({ type: 'abort', target: this }));
    }
  }
}
