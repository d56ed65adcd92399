// What is paid for, by the price list of the paid plan. What the plan includes each
// month is left out: it is shared with everything else in the account.
//
// https://developers.cloudflare.com/durable-objects/platform/pricing/
// https://developers.cloudflare.com/workers/platform/pricing/

const MILLION = 1_000_000;

/** In dollars. */
export const PRICES = {
  /** A request to an object, or an alarm of it. */
  objectRequest: 0.15 / MILLION,
  /** An object that is awake, or cannot sleep. */
  gigabyteSecond: 12.5 / MILLION,
  rowWritten: 1 / MILLION,
  rowRead: 0.001 / MILLION,
  /** A request to the Worker, which stands before the objects. */
  workerRequest: 0.3 / MILLION,
  workerCpuMillisecond: 0.02 / MILLION,
};

/** That many messages that come in by WebSocket are a request. */
export const MESSAGES_PER_REQUEST = 20;

/** The memory that is billed for an object, whatever it uses. */
export const GIGABYTES = 0.128;

/** What was spent, as a meter says it, in dollars. Of the time in which objects are awake, only a manual clock knows. */
export function dollars({ requests, alarms, messages, rowsWritten, rowsRead, workerRequests, awake = 0 }) {
  return (
    (requests + alarms + messages / MESSAGES_PER_REQUEST) * PRICES.objectRequest +
    rowsWritten * PRICES.rowWritten +
    rowsRead * PRICES.rowRead +
    workerRequests * PRICES.workerRequest +
    duration(awake)
  );
}

export const HOUR = 3_600_000;
export const MONTH = 30 * 24 * HOUR;

/** What one object is billed for, of what it was seen to do in some time. */
export function billed(spent) {
  return {
    requests: spent.fetches + spent.alarms + spent.messages / MESSAGES_PER_REQUEST,
    rowsWritten: spent.rowsWritten + spent.alarmsSet,
    rowsRead: spent.rowsRead,
    // An object that cannot sleep is awake while it works, too.
    awake: Math.min(spent.held + spent.running, spent.time),
    workerRequests: spent.workerRequests,
    workerCpu: spent.workerCpu,
  };
}

/** What so many clients cost in a month, in dollars, if each object has `perObject` of them. */
export function month(spent, perObject, clients = MILLION) {
  const bill = billed(spent);
  const scale = (MONTH / spent.time) * (clients / perObject);
  const parts = {
    requests: bill.requests * PRICES.objectRequest,
    duration: duration(bill.awake),
    rows: bill.rowsWritten * PRICES.rowWritten + bill.rowsRead * PRICES.rowRead,
    worker: bill.workerRequests * PRICES.workerRequest + bill.workerCpu * PRICES.workerCpuMillisecond,
  };
  for (const name of Object.keys(parts)) parts[name] *= scale;
  const total = Object.values(parts).reduce((sum, part) => sum + part);
  // If the seconds counted in which an object is idle, could sleep, and does not yet.
  const inMemory = Math.min(spent.inMemory + spent.running, spent.time);
  return { ...parts, total, pessimistic: total - parts.duration + duration(inMemory) * scale };
}

const duration = (ms) => (ms / 1000) * GIGABYTES * PRICES.gigabyteSecond;
