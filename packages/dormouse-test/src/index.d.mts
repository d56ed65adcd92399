/** How a Worker is built for tests. */
export interface BuildOptions {
  /** Wrangler's configuration: by default the `wrangler.toml`, `.json` or `.jsonc` of this folder, or of one above. */
  config?: string;
  /** An environment of the configuration. */
  environment?: string;
  /**
   * Has the configuration's build command build as for a deploy. By default it is told, by
   * `WRANGLER_COMMAND=dev`, that it is for development.
   */
  release?: boolean;
  /** Where the build goes, and `start` looks for it: `.wrangler/dormouse-test` by default. */
  folder?: string;
}

/**
 * Builds the Worker as its configuration says, variables and secrets in `.dev.vars` included,
 * and returns the folder. `dormouse-test build` does the same.
 *
 * A Worker that a build command makes, as in Rust, is taken as that makes it; any other is
 * bundled by wrangler, as for a deploy.
 */
export function build(options?: BuildOptions): Promise<string>;

/** How a built Worker is started. */
export interface StartOptions {
  /** Where the build is: `.wrangler/dormouse-test` by default. */
  folder?: string;
  /** The port of the Worker, on 127.0.0.1: by default a free one. */
  port?: number;
  /** Variables and secrets, beside those of the build or instead of them. */
  variables?: Record<string, unknown>;
  /** Errors that the Worker logs are not printed. */
  quiet?: boolean;
  /**
   * `real`, the default: the Worker's time passes by itself. `manual`: it begins with the time
   * of day, and stands still until `clock` moves it.
   */
  clock?: "real" | "manual";
}

/**
 * Starts a Worker that `build` has built, on workerd, with every binding that
 * `wrangler dev` would give it, and without any state from earlier. It answers once this has
 * resolved. Rejects if there is no build, or if the Worker does not start.
 */
export function start(options: StartOptions & { clock: "manual" }): Promise<Worker & { clock: Clock }>;
export function start(options?: StartOptions): Promise<Worker>;

/**
 * What names an object: the id of a socket in it (`socket.id`), the sid of a session, a
 * connected `Client`, or the object's own id, in hexadecimal.
 */
export type InObject = string | { readonly id?: string | undefined };

/** A Worker that runs. */
export interface Worker {
  /** Where clients connect. Requests reach the Worker itself. */
  readonly url: string;
  /** The same with what is before a Worker, such as its assets. */
  readonly entryUrl: string;
  /** What the Worker logs. */
  readonly logs: Logs;
  /** What its objects have done that is billed. */
  readonly meter: Meter;
  /** Its time, if it was started with `clock: "manual"`. */
  readonly clock?: Clock;

  /**
   * Connects a client of the stock library: `io` is that of socket.io-client 4, and `options`
   * are its own, with the `namespace` beside them. A client that changes from polling to
   * WebSocket has done so; a manual clock is moved by what that takes. Rejects with the client's
   * error if it is refused. It is disconnected by `stop`.
   */
  connect<S extends StockSocket>(io: (url: string, options?: any) => S, options?: ConnectOptions): Promise<Client<S>>;

  /**
   * Puts the object to sleep, or all of them, and resolves to how many were awake. What it has
   * in memory is lost; its WebSockets stay, and its storage. First it waits until nothing keeps
   * the object awake, as the platform does; with a manual clock, it moves the time for that.
   * Rejects if something does for longer than `PATIENCE`.
   */
  sleep(of?: InObject): Promise<number>;

  /** Closes all WebSockets of the object, or of all of them, and takes its memory, as a deploy does. */
  closeWebSockets(of?: InObject): Promise<number>;

  /** Aborts the object, or all of them: a crash in the middle of whatever it does. Storage stays. */
  abort(of?: InObject): Promise<number>;

  /** Kills the runtime, as a machine that fails does. Storage stays. */
  kill(): Promise<void>;

  /** Starts it again after `kill`, at the same address and with the same storage. */
  restart(): Promise<void>;

  /** Disconnects its clients, and ends the runtime. */
  stop(): Promise<void>;
}

/** Options of socket.io-client's `io`, and the namespace. */
export interface ConnectOptions {
  namespace?: string;
  [option: string]: unknown;
}

/** As much of a socket of socket.io-client as is used here. */
export interface StockSocket {
  readonly id?: string | undefined;
  on(event: any, listener: (...args: any[]) => void): unknown;
  once(event: any, listener: (...args: any[]) => void): unknown;
  onAny(listener: (...args: any[]) => void): unknown;
  emit(event: any, ...args: any[]): unknown;
  emitWithAck(event: any, ...args: any[]): Promise<any>;
  disconnect(): unknown;
}

/** Connects a client to any server: `Worker.connect` without the Worker. */
export function connect<S extends StockSocket>(
  io: (url: string, options?: any) => S,
  url: string,
  options?: Record<string, unknown>,
): Promise<Client<S>>;

/** A stock client, and what it has heard. */
export interface Client<S extends StockSocket = StockSocket> {
  /** The stock client itself. */
  readonly socket: S;
  /** The id of its socket, while it is connected. */
  readonly id: string | undefined;
  /**
   * Takes the arguments of the first event of this name that nobody has taken yet, whether it
   * has come or is still to come. The client's own `connect`, `disconnect` and `connect_error`
   * are among them, but for the first `connect`. Rejects after `ms` milliseconds, by default
   * `PATIENCE`.
   */
  next(event: string, ms?: number): Promise<any[]>;
  /** The arguments of each such event that has come and nobody has taken. */
  heard(event: string): any[][];
  /** Emits an event. */
  emit(event: string, ...args: unknown[]): void;
  /** Emits an event and resolves to its acknowledgement. Rejects after `PATIENCE`. */
  ask(event: string, ...args: unknown[]): Promise<any>;
  close(): void;
}

/** The Worker's log, from its start on. */
export interface Logs {
  /** Every line, Dormouse's, the application's and the runtime's. */
  readonly lines: string[];
  /** Those that are JSON objects, such as Dormouse's. */
  readonly events: Record<string, unknown>[];
  /** Returns those that have all of these fields so far: `find({ event: "disconnect" })`. */
  find(fields: Record<string, unknown>): Record<string, unknown>[];
  /** The first such event, now or later. Rejects after `PATIENCE`. */
  waitFor(fields: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** The first line that matches, now or later. Rejects after `PATIENCE`. */
  waitForLine(pattern: RegExp): Promise<string>;
}

/** The time of a Worker whose clock is manual. */
export interface Clock {
  /** Resolves to the Worker's time, in milliseconds since 1970. */
  now(): Promise<number>;
  /**
   * Moves the time on. Timers and alarms that come due on the way go off one after the other,
   * heartbeats are sent and answered, and objects that are idle for ten seconds fall asleep.
   * The clients' own timers go on as before: for them, little time has passed.
   */
  advance(ms: number): Promise<void>;
}

/** What objects have done that is billed. */
export interface Spent {
  /** Requests to objects, calls from elsewhere in the Worker included. */
  requests: number;
  /** Messages that came in over WebSocket: 20 are billed as a request. */
  messages: number;
  /** Alarms that went off, each billed as a request. */
  alarms: number;
  /** Rows, and one for each alarm that was set. */
  rowsWritten: number;
  rowsRead: number;
  /** Requests to the Worker, which stands before the objects. */
  workerRequests: number;
  /**
   * For how long objects were awake and could not sleep, in milliseconds. Known only with a
   * manual clock, which leaves out what an object takes to fall asleep.
   */
  awake?: number;
  /** How often an object was made, or woken. Not billed by itself. */
  wakes: number;
  /** Messages that went out over WebSocket, which are free. */
  sent: number;
}

export interface Meter {
  /**
   * What was spent while `action` ran, by one object or by all. An event is counted once the
   * object has it: let `action` wait for what comes of it.
   */
  spent(action: () => unknown, of?: InObject): Promise<Spent>;
  /** What was spent since the start, through `kill` and `restart`. */
  total(of?: InObject): Promise<Spent>;
}

/** The price in dollars, on the paid plan and beyond what it includes. */
export function dollars(spent: Spent): number;

/** How long is waited for anything, in milliseconds: 8,000, or `DORMOUSE_TEST_PATIENCE` of the environment. */
export const PATIENCE: number;

/** Resolves as the promise does, or rejects with an error that names `what` after `ms` milliseconds. */
export function within<T>(promise: Promise<T>, what: string, ms?: number): Promise<T>;
