// The ledgers of all objects of the Worker.

import { Ledger } from './ledger.mjs';
import { settings } from './settings.mjs';

/** By the objects' ids. */
export const ledgers = new Map();

export function ledgerOf(id) {
  const key = id.toString();
  if (!ledgers.has(key)) ledgers.set(key, new Ledger(key));
  return ledgers.get(key);
}

for (const [id, { alarm, counts }] of Object.entries(settings.ledgers)) {
  const ledger = ledgerOf(id);
  ledger.alarm = alarm;
  Object.assign(ledger.counts, counts);
}
