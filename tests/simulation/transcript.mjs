// What a client hears of the application, in a form that two runs can be compared
// by: the ids that a server draws are replaced by whose they are.

export class Transcript {
  #lines = [];
  /** The ids of the sockets that this client has had. */
  #ids = [];

  add(...what) {
    this.#lines.push(what);
  }

  joined(player, place, recovered) {
    this.#ids.push(place.id);
    this.add('joined', place.namespace, recovered);
  }

  /** As text, once it is known whose each id is. */
  lines(name, players) {
    const names = new Map();
    for (const player of players)
      player.transcript.#ids.forEach((id, index) => names.set(id, `${player.name}.${index}`));
    return this.#lines.map((line) => JSON.stringify(replaced(line, names)));
  }
}

function replaced(value, names) {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (!Array.isArray(value)) return value;
  const items = value.map((item) => replaced(item, names));
  // Lists of sockets are in the order of their ids, which means nothing.
  return items.every(Array.isArray)
    ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
    : items;
}
