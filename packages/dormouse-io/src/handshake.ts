// The request by which a client's session began.

/** The request by which a client's session began. */
export interface Handshake {
  /** Its headers, with names in lower case. */
  headers: Record<string, string | string[] | undefined>;
  /** When it came, as text. */
  time: string;
  /** The client's address, or `null` if nothing tells it. */
  address: string;
  /** Whether a page of another origin has sent it. */
  xdomain: boolean;
  /** Whether it came over TLS. */
  secure: boolean;
  /** When it came, in milliseconds since 1970. */
  issued: number;
  /** Its path and query. */
  url: string;
  query: Record<string, string | string[] | undefined>;
  /** What the client has sent as `auth`. */
  auth: { [key: string]: any };
}

/** What is known of a client that has gone. */
export const NOTHING = { headers: {}, query: {}, auth: {}, url: "" } as unknown as Handshake;

/** Returns a handshake whose URL begins with its path, as that of a request in Node. @internal */
export function asInNode<T extends { url: string }>(handshake: T): T {
  return { ...handshake, url: handshake.url.replace(/^[a-z]+:\/\/[^/]*/, "") };
}
