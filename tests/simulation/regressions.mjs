// Seeds that have found something, and what. A seed means what it did for as long
// as everything is drawn in the same order: whoever changes that looks for others,
// with the fault put back.

export const regressions = [
  { seed: 6, found: 'an object that slept when its last client went forgot nothing of it, ever' },
  { seed: 1, found: 'a client in several namespaces was found again while the application heard of its end' },
  { seed: 20, found: 'a polling session went on as an older self when it could not be saved' },
  { seed: 118, found: 'a polling session went on as an older self after its object was cut off' },
  { seed: 150, found: 'the same, and namespaces that it had just joined were forgotten' },
  { seed: 79, found: 'events were kept for ever where only old clients were' },
  { seed: 47, found: 'a full storage that could not take an event or a socket, and a recovery without it' },
  { seed: 764, found: 'a handler panicked behind the packet that closed its session, and nobody was told of the end' },
  { seed: 338, found: 'what a turn had for a client that polls was lost in a panic, because an older row of it was there' },
  { seed: 1411, found: 'a handler panicked after it had sent to a client that was about to be pinged, which never got it' },
  { seed: 1233, found: 'a socket that was made to join a room, could not in time, and whoever asked was told that it had' },
  { seed: 20211, found: 'a clock that jumped while the handler of an alarm ran, and an object that was woken for it again and again' },
  { seed: 34803, found: 'a handshake that was answered with 503 because another client\'s handler had panicked' },
  { seed: 36651, found: 'a client that moved while sockets were fetched, and was in the answer twice' },
];
