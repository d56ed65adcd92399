// How much of a sweep is run: a sample, or with `npm test -- --all` the whole of it.

const everything = process.env.DORMOUSE_ALL === '1';

/** Returns how often something is tried. */
export const extent = (sample, all) => (everything ? all : sample);

/**
 * Returns whether a combination is run, by the places of its parts in their lists. The sample
 * is one in `step`. If no list is shorter than that, it has each pair of two lists' parts.
 */
export function isSampled(step, ...places) {
  return everything || places.reduce((sum, place) => sum + place) % step === 0;
}
