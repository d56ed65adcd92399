// Does it grow? Told in a way that a few outliers cannot change.

/**
 * The most that the second half of a run may grow by, as a part of its level. A run of a
 * few minutes is hardly more than the start, in which every heap grows.
 */
const BOUND = 0.1;
const BOUND_OF_SHORT_RUNS = 0.4;
const SHORT = 15 * 60;

const median = (values) => {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/**
 * The second half of `samples` (`{ at, memory }`, in seconds and bytes): its level, the
 * median of all slopes between two points (Theil and Sen), and what that adds up to.
 */
export function trend(samples) {
  const end = samples.at(-1).at;
  const half = samples.filter(({ at }) => at >= end / 2);
  const slopes = half.flatMap((one, index) =>
    half.slice(index + 1).map((other) => (other.memory - one.memory) / (other.at - one.at)),
  );
  const level = median(half.map(({ memory }) => memory));
  const slope = slopes.length > 0 ? median(slopes) : 0;
  const growth = (slope * (end - half[0].at)) / level;
  const bound = end < SHORT ? BOUND_OF_SHORT_RUNS : BOUND;
  return { level, slopePerHour: slope * 3_600, growth, bound };
}
