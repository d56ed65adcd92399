// The objects of a server that has many, by their names: those that clients are in, and
// the hubs of a namespace.

const OBJECTS = 8;
const HUBS = 8;

const numbers = (count) => Array.from({ length: count }, (_, number) => number);

export const objects = (path, count = OBJECTS) => numbers(count).map((number) => `${path} * ${number}`);

export const hubs = (path, namespace, count = HUBS) =>
  numbers(count).map((number) => `${path} h ${namespace} ${number}`);
