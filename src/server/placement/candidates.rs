//! Which of many objects a new session may be put into, one after the other until one has
//! room.

use dormouse_proto::sort;

/// The maximum number of objects that are asked before a client is told that all are full.
/// With eight at random, of objects nine tenths of which are full, more than half of the
/// clients get in at once.
pub(super) const MAX_TRIES: usize = 8;

/// The objects of a key, always the same, before any others are asked.
const NEAR: usize = 4;

/// Returns the numbers of the objects to ask, in order, each once and all below `objects`.
///
/// Without a key they are at random. With a key, the first [`NEAR`] are those of the key,
/// in the order of their weights (rendezvous hashing): another object more or less moves
/// the keys of that object alone. `random` returns a number below its argument.
pub(super) fn candidates(
    objects: u32,
    key: Option<&str>,
    mut random: impl FnMut(u32) -> u32,
) -> Vec<u32> {
    let mut chosen = key.map_or_else(Vec::new, |key| heaviest(objects, key));
    let tries = MAX_TRIES.min(objects as usize);
    while chosen.len() < tries {
        // One of those that are not chosen yet: it is as many further as are before it.
        let left = objects - chosen.len() as u32;
        let mut sorted = chosen.clone();
        sort(&mut sorted);
        let next = sorted
            .into_iter()
            .fold(random(left), |next, taken| next + u32::from(next >= taken));
        chosen.push(next);
    }
    chosen
}

/// Returns the objects with the greatest weights for a key, the greatest first.
fn heaviest(objects: u32, key: &str) -> Vec<u32> {
    let key = hash(key);
    let mut best: Vec<(u64, u32)> = Vec::with_capacity(NEAR + 1);
    for number in 0..objects {
        let weight = mix(key ^ mix(u64::from(number)));
        let place = best.partition_point(|(other, _)| *other >= weight);
        if place < NEAR {
            best.insert(place, (weight, number));
            best.truncate(NEAR);
        }
    }
    best.into_iter().map(|(_, number)| number).collect()
}

/// FNV-1a, 64 bits.
fn hash(key: &str) -> u64 {
    key.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64: each bit of the argument changes half of the bits.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    /// Numbers that look random, from a seed.
    fn dice(mut seed: u64) -> impl FnMut(u32) -> u32 {
        move |below| {
            seed = mix(seed);
            u32::try_from(seed % u64::from(below)).unwrap()
        }
    }

    fn of_key(objects: u32, key: u32) -> Vec<u32> {
        candidates(objects, Some(&key.to_string()), dice(1))
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn each_is_there_once_and_all_exist() {
        for objects in (0..20).chain([63, 64, 1_000, 10_000]) {
            for key in [None, Some(""), Some("a"), Some("é")] {
                for seed in 0..50 {
                    let all = candidates(objects, key, dice(seed));
                    assert_eq!(all.len(), MAX_TRIES.min(objects as usize));
                    assert!(all.iter().all(|number| *number < objects), "{all:?}");
                    let mut distinct = all.clone();
                    distinct.sort_unstable();
                    distinct.dedup();
                    assert_eq!(distinct.len(), all.len(), "{all:?}");
                }
            }
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_extremes_of_randomness_are_in_bounds() {
        assert_eq!(candidates(9, None, |_| 0), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(
            candidates(9, None, |below| below - 1),
            [8, 7, 6, 5, 4, 3, 2, 1]
        );
        assert_eq!(candidates(4, None, |below| below / 2), [2, 1, 3, 0]);
    }

    /// Checks that each of some objects is chosen about as often as the others.
    fn are_even(objects: u32, chosen: impl Iterator<Item = u32>) {
        let mut counts = BTreeMap::new();
        for number in chosen {
            *counts.entry(number).or_insert(0_u32) += 1;
        }
        let mean = counts.values().sum::<u32>() / objects;
        for number in 0..objects {
            let count = counts.get(&number).copied().unwrap_or_default();
            assert!(
                count.abs_diff(mean) < mean / 4,
                "{number}: {count} of {mean}"
            );
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn first_choices_are_spread_evenly() {
        for objects in [2, 7, 64] {
            let tries = 1_000 * objects;
            let mut random = dice(7);
            are_even(
                objects,
                (0..tries).map(|_| candidates(objects, None, &mut random)[0]),
            );
            are_even(objects, (0..tries).map(|key| of_key(objects, key)[0]));
            // So are those for when the first one is full.
            are_even(objects, (0..tries).map(|key| of_key(objects, key)[1]));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_key_has_the_same_objects_whatever_is_random() {
        for key in ["", "a", "room 7"] {
            let of = |seed| candidates(100, Some(key), dice(seed))[..NEAR].to_vec();
            assert!((0..50).all(|seed| of(seed) == of(0)));
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn one_object_more_moves_its_own_keys_alone() {
        for objects in [1, 2, 8, 50] {
            let mut moved = 0;
            for key in 0..1_000 {
                let (before, after) = (of_key(objects, key), of_key(objects + 1, key));
                if before[0] != after[0] {
                    assert_eq!(after[0], objects);
                    moved += 1;
                }
                // The others keep their order.
                let kept: Vec<_> = after
                    .iter()
                    .take(NEAR)
                    .filter(|it| **it != objects)
                    .collect();
                assert!(
                    before
                        .iter()
                        .take(NEAR)
                        .zip(kept)
                        .all(|(one, other)| one == other)
                );
            }
            let expected = 1_000 / (objects + 1);
            assert!(
                moved > expected / 2 && moved < expected * 2,
                "{moved} of {objects}"
            );
        }
    }
}
