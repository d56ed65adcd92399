// Rounds: each server is measured for a moment, one after the other, again and
// again. What disturbs the machine disturbs all of them, and the median forgets it.

/** What a scenario costs each of the servers: `{ name: { perSecond, perCpuSecond }[] }`, by rounds. */
export async function measure(scenario, servers, { rounds, ms }) {
  const targets = scenario.targets.filter((target) => servers[target]);
  const runs = {};
  const results = Object.fromEntries(targets.map((target) => [target, []]));
  try {
    for (const target of targets) {
      runs[target] = await scenario.open(servers[target]);
      await runs[target].round(ms);
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const target of targets) results[target].push(await once(runs[target], servers[target], ms));
    }
  } finally {
    for (const run of Object.values(runs)) await run.close();
  }
  return results;
}

async function once(run, server, ms) {
  const cpu = server.cpu();
  const start = performance.now();
  const count = await run.round(ms);
  const seconds = (performance.now() - start) / 1_000;
  return { perSecond: count / seconds, perCpuSecond: count / (server.cpu() - cpu) };
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median of ratios, and if there are several, the least and the most. */
export function spread(ratios) {
  const bounds = ratios.length > 1 && { least: Math.min(...ratios), most: Math.max(...ratios) };
  return { ratio: median(ratios), ...bounds };
}

/** Ours against each peer, as rows; ratios are taken within a round. */
export function compare(name, unit, results, names) {
  const { ours, ...peers } = results;
  const row = (key, suffix) =>
    Object.entries(peers).map(([peer, rounds]) => ({
      name,
      unit: `${unit} ${suffix}`,
      ours: median(ours.map((round) => round[key])),
      peer: median(rounds.map((round) => round[key])),
      ...spread(ours.map((round, index) => round[key] / rounds[index][key])),
      peer_name: names[peer],
    }));
  return [...row('perCpuSecond', 'per CPU second'), ...row('perSecond', 'per second')];
}
