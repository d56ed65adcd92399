// A Worker that is told what the one under test lets others observe, and prints it: spans that
// have ended, what is published on diagnostics channels, and data points of Analytics Engine.
// Each is a line of JSON, in which `observed` says what it is.

import { WorkerEntrypoint } from 'cloudflare:workers';

// Numbers of rows are of a type that JSON does not have.
const number = (_name, value) => (typeof value === 'bigint' ? Number(value) : value);
const tell = (observed, what) => console.log(JSON.stringify({ observed, ...what }, number));

export default {
  tail(traces) {
    for (const { diagnosticsChannelEvents } of traces) {
      for (const { channel, message } of diagnosticsChannelEvents) tell('message', { channel, message });
    }
  },

  /** The spans of one invocation. */
  tailStream(onset) {
    const open = new Map();
    return ({ event, spanContext }) => {
      const span = open.get(spanContext.spanId);
      if (event.type === 'spanOpen') {
        const parent = open.get(spanContext.spanId)?.name ?? '';
        open.set(event.spanId, { name: event.name, parent, of: onset.event.info.type, attributes: {} });
      } else if (event.type === 'attributes' && span) {
        for (const { name, value } of event.info) span.attributes[name] = value;
      } else if (event.type === 'spanUpdate' && event.info.type === 'status') {
        span.status = event.info.status.code;
      } else if (event.type === 'spanClose') {
        open.delete(spanContext.spanId);
        tell('span', span);
      } else if (event.type === 'outcome') {
        tell('end', { of: onset.event.info.type, unended: [...open.values()].map(({ name }) => name) });
      }
    };
  },
};

/** What stands for a dataset: the runtime on its own has none that could be read. */
export class Dataset extends WorkerEntrypoint {
  writeDataPoint(point) {
    tell('point', point);
  }
}
