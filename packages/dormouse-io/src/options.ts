// The options: by the names of socket.io's where it has them, and ours. Their types are
// checked here, and what they may be in wasm.

import type { Schemas } from "./schema.js";
import type { Handshake } from "./handshake.js";
import type { Usage } from "./usage.js";

/** How many in a second, in the long run, and how many at once. */
export type Rate = readonly [perSecond: number, atOnce: number];

/** How much may come from a client, or from all clients of an address. */
export interface RateLimit {
  /** Packets of Engine.IO, heartbeats among them. */
  packets?: Rate;
  bytes?: Rate;
  /** Requests to join a namespace. */
  joins?: Rate;
  /** New sessions; for addresses only. */
  handshakes?: Rate;
}

/** A handshake, as `allowRequest` sees it. */
export type HandshakeRequest = Omit<Handshake, "auth"> & { method: "GET" };

/** What a server can be told. Times are in milliseconds, sizes in bytes. */
export interface ServerOptions<ListenEvents = any> {
  /** The path that clients connect to. Default: `/socket.io/`. */
  path?: string;
  /** The time between two heartbeats, at most 90,000. Below 10,000, objects never sleep. Default: 25,000. */
  pingInterval?: number;
  /** How long a heartbeat may stay unanswered. Default: 20,000. */
  pingTimeout?: number;
  /** How long an upgrade to WebSocket may take. Default: 10,000. */
  upgradeTimeout?: number;
  /** How long a client may be connected without joining a namespace. Default: 45,000. */
  connectTimeout?: number;
  /** The maximum size of a message from a client, at most 32 MiB. Default: 1,000,000. */
  maxHttpBufferSize?: number;
  /** The transports that clients may use. Default: both. */
  transports?: readonly ("polling" | "websocket")[];
  /** Whether a polling session may upgrade. Default: `true`. */
  allowUpgrades?: boolean;
  /** Whether clients before socket.io-client 3 are served. Default: `true`. */
  allowEIO3?: boolean;
  /**
   * Which pages of other origins may connect: `*`, one origin, or a list; and whether their
   * cookies may come along. Default: pages of the Worker's own origin.
   */
  cors?: { origin?: string | readonly string[] | true; credentials?: boolean; [other: string]: unknown };
  /** Decides whether a client may try to connect, before any object is woken. */
  allowRequest?:
    | ((request: HandshakeRequest, next: (error: string | null | undefined, allowed: boolean) => void) => void)
    | ((request: HandshakeRequest) => boolean | Promise<boolean>);
  /** A cookie that the handshake sets: its name, or its name and attributes. Default: none. */
  cookie?:
    | boolean
    | string
    | { name: string; path?: string; domain?: string; httpOnly?: boolean; sameSite?: "strict" | "lax" | "none" | boolean; maxAge?: number };
  /** From which size answers to polls are compressed. Default: `{ threshold: 1024 }`. */
  httpCompression?: boolean | { threshold?: number };
  /** How packets are written: clients need the same parser. Default: `json`. */
  parser?: "json" | "msgpack";
  /** Lets clients that were cut off come back to what they were and get what they have missed. Default: off. */
  connectionStateRecovery?: { maxDisconnectionDuration?: number; skipMiddlewares?: boolean };
  /** Namespaces without sockets cost nothing: accepted, and changes nothing. */
  cleanupEmptyChildNamespaces?: boolean;

  /** What the arguments of events have to be: a Standard Schema of a tuple for each. */
  events?: Schemas<ListenEvents>;
  /**
   * Whether `connection` listeners are run again for a socket that is heard for the first
   * time after sleep. With `false`, only what `handle` registers hears of it. Default: `true`.
   */
  replay?: boolean;
  /**
   * Forgets all JavaScript state of a socket between any two of its events, as sleep does:
   * what would break in sleep breaks at once. Default: on where the bundler builds for
   * development or tests.
   */
  strict?: boolean;
  /** Whether `onAnyOutgoing` can be used: JavaScript is called for each socket of a broadcast then. Default: `false`. */
  anyOutgoing?: boolean;
  /**
   * The object that a client is put into: all of them into one, or those with the same key,
   * which do not reach those with others. Or any of many objects that are one server: import
   * from `dormouse-io/spread` then. Default: one object for all.
   */
  placement?: "one" | ((handshake: HandshakeRequest) => string) | Spread;
  /**
   * A namespace for the stock admin UI of Socket.IO, and its pages: see docs/admin-ui.md. Import
   * from `dormouse-io/spread` for it. `true` is all defaults. Default: none.
   */
  admin?: boolean | Admin;
  /** The name of the Durable Object binding. Default: `DORMOUSE`; without one, the class itself is used. */
  binding?: string;
  /** How long to wait for an acknowledgement, unless `timeout` says otherwise. Default: 10,000. */
  ackTimeout?: number;
  /** Whether a client's next event waits until the listeners of the previous one have returned. Default: `false`. */
  inOrder?: boolean;
  /** The maximum number of rooms of a socket. Default: 1,000. */
  maxRooms?: number;
  /** The maximum number of namespaces of a client. Default: 100. */
  maxNamespaces?: number;
  /** The maximum number of attachments of a packet. Default: 10. */
  maxAttachments?: number;
  /** The maximum size of a packet with its attachments. Default: 10,000,000. */
  maxPacket?: number;
  /** How much is kept for a polling client that does not fetch it. Default: 4 MiB. */
  maxBuffered?: number;
  /** How much a client is sent that has not shown that it reads it. Default: 16 MiB. */
  maxUnproven?: number;
  /** How much an object holds for all its clients. Default: 32 MiB. */
  maxMemory?: number;
  /** How many rows a client may make its object write in a minute. Default: 60. */
  maxRows?: number;
  /** How much a client may send. */
  rateLimit?: RateLimit;
  /** How much all clients of an address may send. Default: no limit. */
  addressRateLimit?: RateLimit;
  /** Headers of the handshake that are kept rather than others where not all can be. */
  keepHeaders?: readonly string[];
  /** Whether JSONP is served to browsers that do not tell whose page loads it. Default: `false`. */
  jsonp?: boolean;
  /** Whether a proxy in front of the Worker is believed what it says of clients. Default: `false`. */
  trustProxy?: boolean;
  /** How much is logged. Default: `warn`. */
  log?: "off" | "error" | "warn" | "info" | "debug";
  /**
   * A function that is given the lines of the log instead of the console. It runs in the Worker
   * and in its objects, when what the line tells of is done, and cannot wait for anything. What
   * it throws is on the console.
   */
  logger?: (record: LogRecord) => void;
  /**
   * Whether the platform traces what listeners and the other functions of the application do:
   * see docs/observability.md. Default: `false`.
   */
  tracing?: boolean;
  /**
   * Whether objects count what is billed, for `io.usage()`; or a function that is told of it, at
   * most once a second and when there is something to tell: what was counted since its last call
   * in the same object, or since that woke up. Default: `false`.
   */
  usage?: boolean | ((usage: Usage) => unknown);
}

/** A line of the log: what has happened, such as `disconnect`, and its fields, such as `sid`. */
export interface LogRecord {
  level: "error" | "warn" | "info" | "debug";
  event: string;
  /** The path of the server. */
  server: string;
  [field: string]: string;
}

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value) && value >= 0;
const isBoolean: Check = (value) => typeof value === "boolean";
const isText: Check = (value) => typeof value === "string";
const isFunction: Check = (value) => typeof value === "function";
const isObject: Check = (value) => typeof value === "object" && value !== null;
const isOneOf = (...all: unknown[]): Check => (value) => all.includes(value);
const isListOf = (check: Check): Check => (value) => Array.isArray(value) && value.every(check);
const isPair: Check = (value) => isListOf(isText)(value) && (value as string[]).length === 2;
const isRates: Check = (value) => isObject(value) && Object.values(value as object).every((rate) => isListOf(isNumber)(rate) && rate.length === 2);

/** Many objects that are one server: rooms, and all else that addresses many sockets, reach all of them. */
export interface Spread {
  /** The number of objects, at most 1,000,000. It can be changed with any deploy. */
  objects: number;
  /** Clients with the same key are put into the same object, for as long as there is room. Default: any object, at random. */
  near?: (handshake: HandshakeRequest) => string;
  /** How many clients an object takes, at most 32,768. Default: as many WebSockets as the platform allows. */
  capacity?: number;
  /** Whether each continent's clients are in objects there, as many as `objects` says. Default: `false`. */
  byContinent?: boolean;
  /** From how many objects on an event is passed on by some of them. Default: 64. */
  relayFrom?: number;
  /** The number of hubs of each namespace, at most 256. With `connectionStateRecovery` it has one. It can be changed with any deploy. Default: 8. */
  hubs?: number;
  /** Where objects are created: one of the platform's location hints. Default: near the first client of each. */
  location?: string;
}

/** The namespace that the admin UI enters, and who may. */
export interface Admin {
  /** The name of the namespace. Default: `/admin`, as in the UI. */
  namespace?: string;
  /** The user name. Default: `admin`. */
  username?: string;
  /**
   * The two variables of the Worker's environment that hold the passwords, each of at least 12
   * bytes; either will do, so that one can be replaced. Default: `ADMIN_PASSWORD` and
   * `ADMIN_PASSWORD_OLD`. If neither is set, everybody is refused, and the log says so.
   */
  secrets?: readonly [name: string, other: string];
  /**
   * For how long somebody who has logged in can come back without the password, from a minute to
   * 30 days. Default: 86,400,000, which is a day.
   */
  sessionDuration?: number;
  /** Whether those who watch can do nothing else. Default: `false`. */
  readOnly?: boolean;
  /**
   * Whether they see each socket, and each event with its arguments, and not only numbers: what
   * users write to each other is shown. Default: `false`.
   */
  development?: boolean;
  /** The path at which the Worker serves the pages of the UI, such as `/admin`. Default: it does not. */
  ui?: string;
  /** The binding to the Worker's assets, and the folder in there that has the pages. Default: `ASSETS` and `/dist`. */
  assets?: readonly [binding: string, folder: string];
}

/** Whether this is `dormouse-io/spread`. */
declare const SPREADS: boolean;

/** Each option, what it has to be, and the check of that. */
type Checks<Options> = Record<keyof Options, [what: string, check: Check]>;

const SPREAD: Checks<Spread> = {
  objects: ["a number over 0", (value) => isNumber(value) && (value as number) > 0],
  near: ["a function from the handshake to a key", isFunction],
  capacity: ["a number over 0", (value) => isNumber(value) && (value as number) > 0],
  byContinent: ["true or false", isBoolean],
  relayFrom: ["a number over 1", (value) => isNumber(value) && (value as number) > 1],
  hubs: ["a number over 0 and at most 256", (value) => isNumber(value) && (value as number) > 0 && (value as number) <= 256],
  location: ["a text", isText],
};

const ADMIN: Checks<Admin> = {
  namespace: ["a name", isText],
  username: ["a name", isText],
  secrets: ["a list of the names of two variables", isPair],
  sessionDuration: ["a number that is not negative", isNumber],
  readOnly: ["true or false", isBoolean],
  development: ["true or false", isBoolean],
  ui: ["a path", isText],
  assets: ["a list of a binding's name and a folder", isPair],
};

const OPTIONS: Checks<Record<string, unknown>> = {
  path: ["a text", isText],
  transports: ['a list of "polling" and "websocket"', isListOf(isOneOf("polling", "websocket"))],
  cors: ["an object with origin and credentials", isObject],
  allowRequest: ["a function", isFunction],
  cookie: ["a name, or an object with a name", (value) => isBoolean(value) || isText(value) || isObject(value)],
  httpCompression: ["true, false, or an object with a threshold", (value) => isBoolean(value) || isObject(value)],
  parser: ['"json" or "msgpack"', isOneOf("json", "msgpack")],
  connectionStateRecovery: ["an object", isObject],
  events: ["an object with a Standard Schema for each event", isObject],
  placement: [
    '"one", a function from the handshake to a key, or an object with the number of objects',
    (value) => value === "one" || isFunction(value) || isObject(value),
  ],
  admin: ["true, false, or an object", (value) => isBoolean(value) || isObject(value)],
  binding: ["a text", isText],
  rateLimit: ["an object such as { packets: [50, 200] }", isRates],
  addressRateLimit: ["an object such as { packets: [500, 2000] }", isRates],
  keepHeaders: ["a list of names", isListOf(isText)],
  logger: ["a function", isFunction],
  usage: ["true, false, or a function", (value) => isBoolean(value) || isFunction(value)],
  log: ['"off", "error", "warn", "info" or "debug"', isOneOf("off", "error", "warn", "info", "debug")],
  ...Object.fromEntries(
    (
      "pingInterval pingTimeout upgradeTimeout connectTimeout maxHttpBufferSize ackTimeout maxRooms maxNamespaces " +
      "maxAttachments maxPacket maxBuffered maxUnproven maxMemory maxRows"
    )
      .split(" ")
      .map((name) => [name, ["a number that is not negative", isNumber]]),
  ),
  ...Object.fromEntries(
    "allowUpgrades allowEIO3 cleanupEmptyChildNamespaces replay strict anyOutgoing inOrder jsonp trustProxy tracing"
      .split(" ")
      .map((name) => [name, ["true or false", isBoolean]]),
  ),
};

/** Options of socket.io that mean nothing here, unless they have this value. */
const ELSEWHERE: Record<string, [harmless: unknown, remedy: string]> = {
  adapter: [undefined, "rooms are the Durable Object's, and need no adapter: leave it out"],
  serveClient: [false, "clients load socket.io-client from npm, a CDN, or your static assets: set it to false"],
  perMessageDeflate: [
    false,
    "the runtime decides: leave out the compatibility flag `no_web_socket_compression`, and mind what it costs",
  ],
  wsEngine: [undefined, "WebSockets are the platform's: leave it out"],
  initialPacket: [undefined, "send an event in a `connection` listener instead"],
  destroyUpgrade: [undefined, "the Worker's `fetch` answers what is not for the server: leave it out"],
  destroyUpgradeTimeout: [undefined, "the Worker's `fetch` answers what is not for the server: leave it out"],
  addTrailingSlash: [true, "the path is served with and without the last slash: leave it out"],
  generateId: [undefined, "a session's id says which object it is in: leave it out"],
};

/** Returns the options for wasm. Throws what is wrong with them, and the remedy. */
export function readOptions(options: ServerOptions): Record<string, unknown> {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const elsewhere = ELSEWHERE[name];
    if (elsewhere && value !== elsewhere[0]) throw wrong(name, elsewhere[1]);
    if (elsewhere) continue;
    const known = OPTIONS[name];
    if (!known) throw wrong(name, "there is no such option; docs/typescript.md lists them");
    if (!known[1](value)) throw wrong(name, `has to be ${known[0]}`);
  }
  checkSpread(options);
  return { ...options, origins: origins(options), credentials: options.cors?.credentials, ...written(options) };
}

/** Checks the options that only `dormouse-io/spread` has. */
function checkSpread({ placement, admin }: ServerOptions): void {
  const spread = typeof placement === "object" ? placement : undefined;
  // The bundler leaves out the other half, with all that it needs.
  if (SPREADS) {
    // The number of objects has to be there.
    if (spread) checkMembers("placement", { ...spread, objects: spread.objects ?? NaN }, SPREAD);
    if (typeof admin === "object") checkMembers("admin", admin, ADMIN);
  } else {
    if (spread) throw wrong("placement", "many objects are in dormouse-io/spread: import Server from there");
    if (admin) throw wrong("admin", "the admin UI is in dormouse-io/spread: import Server from there");
  }
}

/** Returns the namespace that is not for the application, if there is one. */
export function adminNamespace({ admin }: ServerOptions): string | undefined {
  if (!admin) return undefined;
  return (admin === true ? undefined : admin.namespace) ?? "/admin";
}

/** Checks the members of an option. */
function checkMembers<Options extends object>(option: string, members: Options, checks: Checks<Options>): void {
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue;
    const known = checks[name as keyof Options];
    if (!known) throw wrong(`${option}.${name}`, "there is no such option; docs/typescript.md lists them");
    if (!known[1](value)) throw wrong(`${option}.${name}`, `has to be ${known[0]}`);
  }
}

/** Returns the options that wasm wants in another form. */
function written({ admin, cookie, httpCompression }: ServerOptions): Record<string, unknown> {
  const threshold = typeof httpCompression === "object" ? (httpCompression.threshold ?? 1024) : httpCompression;
  return {
    admin: admin === true ? {} : admin,
    cookie: writeCookie(cookie),
    compression: threshold === false ? -1 : threshold === true ? 1024 : threshold,
  };
}

function origins({ cors }: ServerOptions): string[] | undefined {
  if (!cors) return undefined;
  for (const name of Object.keys(cors)) {
    if (["origin", "credentials"].includes(name)) continue;
    // The protocols use GET and POST, and the headers that a page adds are all allowed.
    if (["methods", "allowedHeaders"].includes(name)) continue;
    throw wrong(`cors.${name}`, "there is no such option: leave it out");
  }
  const { origin } = cors;
  if (origin === undefined || origin === true || origin === "*") return ["*"];
  const all = isText(origin) ? [origin as string] : origin;
  if (isListOf(isText)(all)) return [...(all as string[])];
  throw wrong("cors.origin", 'has to be "*", an origin, or a list of them; for anything else use allowRequest');
}

function writeCookie(cookie: ServerOptions["cookie"]): unknown {
  if (!cookie) return undefined;
  const { name, path, domain, httpOnly, sameSite, maxAge } =
    typeof cookie === "object" ? cookie : { name: cookie === true ? "io" : cookie };
  if (!isText(name)) throw wrong("cookie", "has to have a name");
  const site = sameSite === true ? "strict" : (sameSite ?? "lax");
  const attributes = [
    `Path=${path ?? "/"}`,
    domain !== undefined && `Domain=${domain}`,
    maxAge !== undefined && `Max-Age=${maxAge}`,
    httpOnly !== false && "HttpOnly",
    site !== false && `SameSite=${site[0]?.toUpperCase()}${site.slice(1)}`,
  ];
  return { name, attributes: attributes.filter(Boolean).join("; ") };
}

/** The names that wasm has for options, where they are not the same in snake case. */
const NAMES: Record<string, string> = {
  max_payload: "maxHttpBufferSize",
  revision_3: "allowEIO3",
  origins: "cors.origin",
  credentials: "cors.credentials",
  recovery: "connectionStateRecovery",
  max_disconnection: "maxDisconnectionDuration",
  username: "admin.username",
  session_duration: "admin.sessionDuration",
  compression: "httpCompression",
};

/** Returns the error of an option that wasm cannot serve, in the names of here. */
export function wrongInWasm(option: string, remedy: string): Error {
  const renamed = remedy.replace(/\b[a-z]+(?:_[a-z0-9]+)+\b/g, rename);
  return wrong(rename(option), renamed);
}

function rename(name: string): string {
  return NAMES[name] ?? name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Returns the error of an option. */
export function wrong(option: string, remedy: string): Error {
  return new Error(`dormouse-io: the option ${option} ${/^(has|must|is)\b/.test(remedy) ? remedy : `is not possible: ${remedy}`}`);
}
