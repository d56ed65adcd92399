// What can happen to an object while it holds sessions, behind one face: each fault
// is a function of the server and a sid, done when the platform has done its work.

/**
 * What is left of an object: everything; its rows and the connections of clients; its
 * rows alone. `rows` says so of sessions by polling, `sockets` of WebSockets.
 */
export const faults = {
  'put to sleep': { sockets: true, strike: (server, sid) => server.sleep(sid) },
  'cut off': { sockets: false, strike: (server, sid) => server.cut(sid) },
  aborted: { sockets: false, strike: (server, sid) => server.abort(sid) },
  'killed with the runtime': { sockets: false, strike: killAndRestart },
};

/** Those that break connections. */
export const breaks = Object.fromEntries(Object.entries(faults).filter(([, { sockets }]) => !sockets));

async function killAndRestart(server) {
  await server.kill();
  await server.restart();
}
