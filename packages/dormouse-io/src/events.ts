// What TypeScript knows of events: maps from their names to the types of their listeners,
// with the same meaning as in socket.io.

/** Events, as the types of their listeners by name. */
export interface EventsMap {
  [event: string]: any;
}

/** All events, with any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

type Listener = (...args: any[]) => any;
type IsAny<T> = 0 extends 1 & T ? true : false;

/** The names of the events of a map. */
export type EventNames<Events extends EventsMap> = keyof Events & (string | symbol);

/** The arguments of an event, an acknowledgement among them. */
export type EventParams<Events extends EventsMap, Name extends EventNames<Events>> = Parameters<Events[Name]>;

/** The last item of a tuple. */
export type Last<Items extends readonly unknown[]> = Items extends readonly [...unknown[], infer Item]
  ? Item
  : Items extends readonly (infer Item)[]
    ? Item
    : never;

/** A tuple without its last item. */
export type AllButLast<Items extends any[]> = Items extends [...infer Others, any] ? Others : any[];

type HasAck<E> = IsAny<E> extends true
  ? true
  : E extends (...args: infer Args) => any
    ? IsAny<Last<Args>> extends true
      ? true
      : Args extends []
        ? false
        : Last<Args> extends Listener
          ? true
          : false
    : false;

type LacksAck<E> = IsAny<E> extends true
  ? true
  : E extends (...args: infer Args) => any
    ? IsAny<Last<Args>> extends true
      ? true
      : Args extends []
        ? true
        : Last<Args> extends Listener
          ? false
          : true
    : true;

type WithError<E> = HasAck<E> extends true
  ? IsAny<E> extends true
    ? true
    : E extends (...args: infer Args) => any
      ? IsAny<Last<Args>> extends true
        ? true
        : Last<Args> extends (...args: infer Values) => any
          ? Values[0] extends Error
            ? true
            : false
          : false
      : false
  : false;

/** The names of the events that ask for an acknowledgement. */
export type EventNamesWithAck<Events extends EventsMap> = {
  [Name in EventNames<Events>]: HasAck<Events[Name]> extends true ? Name : never;
}[EventNames<Events>];

/** The names of those that do not. */
export type EventNamesWithoutAck<Events extends EventsMap> = {
  [Name in EventNames<Events>]: LacksAck<Events[Name]> extends true ? Name : never;
}[EventNames<Events>];

/** The names of those whose acknowledgement begins with an error, as with a time limit. */
export type EventNamesWithError<Events extends EventsMap> = {
  [Name in EventNames<Events>]: WithError<Events[Name]> extends true ? Name : never;
}[EventNames<Events>];

/** The value that an acknowledgement is called with, behind its error if there is one. */
export type AckValue<Ack> = Ack extends (...args: infer Values) => any
  ? Values[0] extends Error
    ? Values[1]
    : Values[0]
  : any;

type InsertError<Args extends any[]> = {
  [Index in keyof Args]: Args[Index] extends (...values: infer Values) => infer Result
    ? Values[0] extends Error
      ? Args[Index]
      : (err: Error, ...values: Values) => Result
    : Args[Index];
};

type OneList<Values extends any[]> = Values extends [] ? [] : [values: Values[0][]];

type CollectValues<Args extends any[]> = {
  [Index in keyof Args]: Args[Index] extends (...values: infer Values) => infer Result
    ? Values extends [infer Failure extends Error, ...infer Others]
      ? (err: Failure, ...values: OneList<Others>) => Result
      : (...values: OneList<Values>) => Result
    : Args[Index];
};

/** Events whose acknowledgements get an error first, because there is a time limit. */
export type WithTimeout<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Result
    ? (...args: InsertError<Args>) => Result
    : Events[Name];
};

/** Events whose acknowledgements get what many sockets have answered. */
export type ToMany<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Result
    ? (...args: CollectValues<Args>) => Result
    : Events[Name];
};

/** Both. */
export type ToManyWithTimeout<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Args) => infer Result
    ? (...args: CollectValues<InsertError<Args>>) => Result
    : Events[Name];
};

/** The listener of an event that is either the server's own or the application's. */
export type ListenerOf<Reserved extends EventsMap, Events extends EventsMap, Name> = Name extends EventNames<Reserved>
  ? Reserved[Name]
  : Name extends EventNames<Events>
    ? Events[Name]
    : Listener;

/**
 * What operations on many sockets return. In a handler, they are done when they return.
 * Elsewhere in the Worker they are requests to the object, and this can be awaited: then it
 * fails if they do. What is not awaited goes on until it is done, and logs its failure.
 */
export type Sent = true & PromiseLike<void>;
