// Calls between objects. They leave through the output gate of the caller, take time, and
// may fail before or after they were carried out, be repeated by the platform, come late,
// or reach an instance that has a successor already.

/**
 * A call of the object that is being run to another: the promise of the answer. `ends` is
 * how often the callee had been cut off when the stub was made, which is broken by that.
 */
export function exchange(platform, callee, ends, args) {
  const caller = platform.context;
  const fate = platform.faults.fateOfCall();
  caller.calls += 1;
  platform.trace(`object ${caller.host.name} calls ${callee.name}${describe(fate)}`);
  return new Promise((resolve, reject) => {
    let isSettled = false;
    const settle = (act) => (value) => {
      platform.loop.after(fate.back, () => {
        if (isSettled) return;
        isSettled = true;
        caller.calls -= 1;
        if (caller.dead) return;
        if (!caller.isOld) caller.host.stir();
        platform.context = caller;
        act(value);
      });
    };
    const fail = settle(reject);
    const leave = () => {
      if (callee.ends > ends) return fail(broken('The stub is broken: its object was reset.'));
      const lose = () => fail(broken('Network connection lost.'));
      const answer = fate.losesAnswer ? lose : settle(resolve);
      const ignore = () => {};
      // Of a call that the platform repeats, the last answer counts.
      fate.there.forEach((delay, index) => {
        const isLast = index === fate.there.length - 1;
        platform.loop.after(delay, () => {
          const carried = arrive(platform, callee, ends, args, fate);
          carried.then(isLast ? answer : ignore, isLast ? fail : ignore);
        });
      });
      return undefined;
    };
    caller.host.output(leave, caller);
  });
}

async function arrive(platform, callee, ends, args, { isLost, isRefused, findsOld }) {
  platform.hears.called(callee);
  if (isRefused) throw Object.assign(new Error('The object is overloaded.'), { overloaded: true });
  if (isLost) throw broken('Network connection lost.');
  if (findsOld && callee.hasOld && callee.ends > ends) return callee.callOld('dormouseCall', args);
  return callee.call('dormouseCall', args);
}

function describe({ there, back, isLost, losesAnswer, isRefused }) {
  const slow = Math.floor(Math.max(...there, back));
  const how = [slow > 4 && `${slow} ms`, there.length > 1 && 'repeated', isLost && 'lost'];
  how.push(losesAnswer && 'answer lost', isRefused && 'refused');
  return how.map((what) => (what ? `, ${what}` : '')).join('');
}

function broken(message) {
  return Object.assign(new Error(message), { retryable: true });
}
