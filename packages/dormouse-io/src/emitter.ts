// Listeners by name, as Node's EventEmitter has them.

import type { EventNames, EventsMap, ListenerOf } from "./events.ts";

export type AnyListener = (...args: any[]) => any;

interface Registered {
  listener: AnyListener;
  once: boolean;
}

/** Listeners by the names of their events. */
export abstract class Emitter<Events extends EventsMap, Reserved extends EventsMap> {
  readonly #registered = new Map<string | symbol, Registered[]>();

  /** Registers a listener. */
  on<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    return this.#add(event, { listener, once: false }, false);
  }

  /** Does the same as {@link on}. */
  addListener<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    return this.on(event, listener);
  }

  /** Registers a listener that is called once. After sleep, it is called once more. */
  once<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    return this.#add(event, { listener, once: true }, false);
  }

  /** Registers a listener that is called before those that are there already. */
  prependListener<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    return this.#add(event, { listener, once: false }, true);
  }

  /** Registers a listener that is called once, before those that are there already. */
  prependOnceListener<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    return this.#add(event, { listener, once: true }, true);
  }

  /** Removes a listener. */
  off<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    const kept = this.#of(event);
    const place = kept.findLastIndex((it) => it.listener === listener);
    if (place >= 0) this.#registered.set(event, kept.toSpliced(place, 1));
    return this;
  }

  /** Does the same as {@link off}. */
  removeListener<Name extends EventNames<Reserved> | EventNames<Events>>(
    event: Name,
    listener: ListenerOf<Reserved, Events, Name>,
  ): this {
    return this.off(event, listener);
  }

  /** Removes all listeners of an event, or of all events. */
  removeAllListeners(event?: EventNames<Reserved> | EventNames<Events>): this {
    if (event === undefined) this.#registered.clear();
    else this.#registered.delete(event);
    return this;
  }

  /** Returns the listeners of an event. */
  listeners<Name extends EventNames<Reserved> | EventNames<Events>>(event: Name): ListenerOf<Reserved, Events, Name>[] {
    return this.#of(event).map((it) => it.listener as ListenerOf<Reserved, Events, Name>);
  }

  /** Returns the number of listeners of an event. */
  listenerCount(event: EventNames<Reserved> | EventNames<Events>): number {
    return this.#of(event).length;
  }

  /** Returns the names of the events that have listeners. */
  eventNames(): (string | symbol)[] {
    return [...this.#registered].filter(([, all]) => all.length > 0).map(([name]) => name);
  }

  /** Takes the listeners of an event that are to be called for it now. @internal */
  _take(event: string | symbol): AnyListener[] {
    const all = this.#of(event);
    if (all.some((it) => it.once)) {
      this.#registered.set(event, all.filter((it) => !it.once));
    }
    return all.map((it) => it.listener);
  }

  /** Is told of each listener that is registered. @internal */
  protected _registering(_event: string | symbol): void {}

  #of(event: string | symbol): Registered[] {
    return this.#registered.get(event) ?? [];
  }

  #add(event: string | symbol, registered: Registered, first: boolean): this {
    if (typeof registered.listener !== "function") throw new TypeError("a listener has to be a function");
    this._registering(event);
    const others = this.#of(event);
    this.#registered.set(event, first ? [registered, ...others] : [...others, registered]);
    return this;
  }
}
