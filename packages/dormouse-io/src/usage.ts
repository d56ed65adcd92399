// What objects do of what is billed.

/**
 * What an object has woken up for and done, as far as it is billed for, at the prices of the
 * paid plan beyond what that includes. The time for which an object runs is not in it.
 */
export interface Usage {
  /** How often an object has woken up, or was made. */
  wakes: number;
  /** The same, by the reason: those of the log's `wake`. */
  wokenBy: Record<
    "handshake" | "upgrade" | "poll" | "post" | "message" | "close" | "call" | "alarm" | "panic",
    number
  >;
  /** Requests of clients: handshakes, upgrades, polls and `POST`s. Each is also one to the Worker. */
  requests: number;
  /** Calls of other objects, and of other parts of the Worker. */
  calls: number;
  /** Messages that have come over WebSocket. */
  messages: number;
  /** How often the object's alarm has gone off. */
  alarms: number;
  /** Rows that the server has written or deleted, and the alarms that it has set. */
  rowsWritten: number;
  rowsRead: number;
  /** What all of this costs, in billionths of a dollar. */
  nanodollars: number;
}

/** Reads what wasm has counted. */
export function readUsage(counted: string): Usage {
  const [counts, wakes, nanodollars] = JSON.parse(counted) as [Usage, number, number];
  return { ...counts, wakes, nanodollars };
}
