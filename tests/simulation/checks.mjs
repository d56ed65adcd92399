// What must hold when everybody has got what is due, when nobody does anything, and
// when everybody has gone.

const INTERVAL = 25_000;
const ANSWERED_AFTER = 3_000;
/** Of wasm, which begins with 1.5 MB: the clients of a simulation hold less than 2 MB. */
const LARGEST_MEMORY = 8 << 20;

/** Nothing went wrong for a while: everybody is connected and has got everything. */
export function checkSettled(world) {
  const { oracle, players } = world;
  oracle.checkDelivered();
  for (const { spec } of unanswered(world).filter(({ spec }) => spec.method === 'POST' || spec.isHandshake)) {
    oracle.violation(`${spec.method ?? 'GET'} ${spec.path} was never answered`);
  }
  for (const player of players) checkPlayer(world, player);
  for (const hostile of world.hostiles) hostile.checkGone();
  checkMemory(world);
}

/** Linear memory never shrinks: this is the most that there ever was. */
function checkMemory({ oracle, platform }) {
  for (const { bytes } of platform.isolates) {
    if (bytes > LARGEST_MEMORY) oracle.violation(`an isolate has ${bytes} bytes of linear memory`);
  }
}

function checkPlayer({ oracle }, player) {
  const { client } = player;
  if (!client.isOpen) return player.violation(`could not connect again: ${client.session?.state}`);
  for (const place of client.places.values()) {
    if (place.wanted && !place.isConnected && !place.expectsRefusal && !player.isScrambled)
      player.violation(`is not in ${place.namespace}`);
  }
  if (oracle.excuses.storage) return undefined;
  for (const { data, place, isFragile } of client.unanswered) {
    const isLost = isFragile && (oracle.excuses.panicked || oracle.excuses.crashed);
    const isExcused = isLost || player.known.get(place.namespace)?.isExcused;
    if (!isExcused && data[0] !== 'panic')
      player.violation(`${data[0]} in ${place.namespace} was never answered`);
  }
  for (const { value } of player.echoesDue)
    player.violation(`never got the echo of ${JSON.stringify(value).slice(0, 100)}`);
  return undefined;
}

/** Nobody said anything for so long: nothing but heartbeats woke the objects. */
export function checkIdle(world, before, duration) {
  const { oracle, players } = world;
  const polls = players.some(({ client }) => client.session?.transport === 'polling');
  for (const [index, host] of world.platform.objects.entries()) {
    const alarms = host.counts.alarms - (before[index] ?? 0);
    // One for each ping interval, and what recovery has to forget: of sockets that move, more.
    const pings = host.isHub ? 0 : Math.ceil(duration / INTERVAL);
    const most = pings + (host.logs || !host.isHub ? 4 : 0) + (world.many ? 4 : 0);
    if (alarms > most)
      oracle.violation(`object ${host.name} was woken by ${alarms} alarms in ${duration / 1_000} s`);
    if (host.incarnation && (!polls || host.isHub) && !world.isHasty && !host.canSleep)
      oracle.violation(`object ${host.name} could not sleep`);
  }
}

/** A panic takes the application's own requests with it that were waiting in the same isolate. */
function unanswered({ oracle, loop }) {
  const isOld = ({ arrivedAt }) => arrivedAt < loop.now - ANSWERED_AFTER;
  const isLost = ({ spec }) => spec.isRoute && oracle.excuses.panicked;
  const isCheated = ({ spec }) => spec.isHostile === true;
  return oracle.unansweredRequests.filter(
    (exchange) => isOld(exchange) && !isLost(exchange) && !isCheated(exchange),
  );
}

/** All of them were due long ago. */
function checkAlarms({ oracle, faults }) {
  const { application, excuses } = oracle;
  if (excuses.storage) return;
  for (const name of application.silentAlarms) oracle.violation(`the alarm ${name} never went off`);
  // What the platform repeats may set an alarm that has gone off.
  if (excuses.panicked || excuses.crashed || faults.kinds.has('repeatedCalls')) return;
  for (const name of application.repeatedAlarms) oracle.violation(`the alarm ${name} went off again`);
}

/**
 * All of ours but those that have no rows of anybody's, and those of hubs: that an object
 * has no member any more is found out by the next message for the room, and whose log it
 * is stays, as does which objects have missed something.
 */
const TABLES = `SELECT name FROM sqlite_master WHERE name LIKE 'dormouse%' AND name NOT IN
  ('dormouse_numbers', 'dormouse_interest', 'dormouse_eras', 'dormouse_lives',
   'dormouse_log_notes', 'dormouse_log_gaps')`;

/** Everybody has gone: there is nothing left of them. */
export function checkNothingLeft(world) {
  const { oracle } = world;
  const isUntold = oracle.excuses.panicked || oracle.excuses.storage || world.faults.kinds.has('moves');
  if (!isUntold) {
    for (const socket of oracle.application.stillHere)
      oracle.violation(`the application was never told that ${socket} has gone`);
  }
  checkAlarms(world);
  const open = unanswered(world).length;
  if (open > 0) oracle.violation(`${open} requests were never answered`);
  for (const host of world.platform.objects) {
    const where = `object ${host.name}`;
    for (const { name } of host.storage.look(TABLES)) {
      const [{ rows }] = host.storage.look(`SELECT COUNT(*) AS rows FROM ${name}`);
      if (rows > 0) oracle.violation(`${where} has ${rows} rows left in ${name}`);
    }
    if (host.links.size > 0) oracle.violation(`${where} has ${host.links.size} WebSockets left`);
    if (host.hasAlarm) oracle.violation(`${where} has an alarm left`);
    if (host.incarnation && !host.canSleep) {
      const { pending, timers, sockets } = host.incarnation;
      oracle.violation(
        `${where} cannot sleep: ${pending.size} requests, ${timers.size} timers, ${sockets.size} WebSockets`,
      );
    }
  }
}
