// Which rooms a socket is in, as far as its client can know: from when it asks
// until it is granted, it may be in or not.

export class Membership {
  #stays = [];

  staysIn(room) {
    return this.#stays.filter((stay) => stay.room === room);
  }

  /** It has asked to be in a room. The stay, for `granted`. */
  asked(room, now) {
    const stay = { room, mayFrom: now, isFrom: Infinity, isTo: Infinity, mayTo: Infinity };
    this.#stays.push(stay);
    return stay;
  }

  granted(stay, now) {
    stay.isFrom = Math.min(stay.isFrom, now);
  }

  /** It has asked to leave. The stays, for `gone`. */
  leaving(room, now) {
    const stays = this.#stays.filter((stay) => stay.room === room && stay.mayTo === Infinity);
    for (const stay of stays) stay.isTo = Math.min(stay.isTo, now);
    return stays;
  }

  gone(stays, now) {
    for (const stay of stays) stay.mayTo = Math.min(stay.mayTo, now);
  }

  mayBeIn(room, from, to) {
    return this.#stays.some((stay) => stay.room === room && stay.mayFrom <= to && from <= stay.mayTo);
  }

  /** All the time. */
  isIn(room, from, to) {
    return this.#stays.some((stay) => stay.room === room && stay.isFrom <= from && to <= stay.isTo);
  }

  /** The rooms that it may be in, and those that it is in. */
  now(now) {
    const names = [...new Set(this.#stays.map(({ room }) => room))];
    const may = names.filter((room) => this.mayBeIn(room, now, now));
    return { may, is: may.filter((room) => this.isIn(room, now, now)) };
  }
}
