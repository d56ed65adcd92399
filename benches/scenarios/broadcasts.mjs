// One event to everybody in a room.

import { ask, closeAll, isPing, openMembers } from '../harness/client.mjs';

const CROWDS = [10, 100, 1_000, 5_000];

export const broadcasts = CROWDS.map((count) => ({
  name: `broadcast to ${count.toLocaleString('en')}`,
  unit: 'deliveries',
  targets: ['ours', 'limit', 'node', 'rust'],
  async open(server) {
    const members = await openMembers(server, count);
    await Promise.all(members.map((member) => ask(member, 'join', 'room')));
    return { round: (ms) => cast(members, ms), close: () => closeAll(members) };
  },
}));

/** Casts for a while, the next one when all have heard the last: the deliveries. */
function cast(members, ms) {
  return new Promise((resolve) => {
    const [caster] = members;
    const end = performance.now() + ms;
    let heard = 0;
    const send = () => caster.send('42["cast","room","sixteen letters!"]');
    const onMessage = (data) => {
      if (isPing(data)) return;
      heard += 1;
      if (heard % members.length > 0) return;
      if (performance.now() < end) return send();
      for (const member of members) member.off('message', onMessage);
      resolve(heard);
    };
    for (const member of members) member.on('message', onMessage);
    send();
  });
}
