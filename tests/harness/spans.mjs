// Spans that have ended, as a Tail Worker has been told of them.

/** Returns a function that waits for the next span of a name, each of which it returns once. */
export function spansOf({ logs }) {
  const taken = new Set();
  return async (name) => {
    const find = () => logs.find({ observed: 'span', name }).find((span) => !taken.has(span));
    while (!find()) await new Promise(setImmediate);
    const span = find();
    taken.add(span);
    return span;
  };
}

/** The attributes that all spans of clients and of events have. */
export const attributes = (operation, destination, more, system = 'socket.io') => ({
  'messaging.system': system,
  'messaging.operation.name': operation,
  ...(operation === 'process' && { 'messaging.operation.type': operation }),
  'messaging.destination.name': destination,
  ...more,
});
