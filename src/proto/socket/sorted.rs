//! A set that is quick to iterate: broadcasts are more frequent than sockets that
//! come and go. It weighs a tenth of a `BTreeSet`, too.

use alloc::vec::Vec;

use crate::sort;

/// The values, in order and once. Inserting one moves those behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SortedSet<T>(Vec<T>);

impl<T> Default for SortedSet<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord + Copy> SortedSet<T> {
    /// Inserts a value. Returns `false` if it was there already.
    pub(super) fn insert(&mut self, value: T) -> bool {
        match self.0.binary_search(&value) {
            Ok(_) => false,
            Err(position) => {
                self.0.insert(position, value);
                true
            }
        }
    }

    /// Adds a value behind the others. Until [`sort`](Self::sort), this is not a set.
    pub(super) fn push(&mut self, value: T) {
        self.0.push(value);
    }

    /// Brings values that were pushed into order.
    pub(super) fn sort(&mut self) {
        sort(&mut self.0);
        self.0.dedup();
    }

    /// Removes a value. Returns `false` if it was not there.
    pub(super) fn remove(&mut self, value: T) -> bool {
        match self.0.binary_search(&value) {
            Ok(position) => {
                self.0.remove(position);
                true
            }
            Err(_) => false,
        }
    }

    pub(super) fn contains(&self, value: T) -> bool {
        self.0.binary_search(&value).is_ok()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// Inserts all values of another set.
    pub(super) fn extend(&mut self, other: &Self) {
        let mut merged = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(one), Some(two)) = (ours.peek(), theirs.peek()) {
            let least = (**one).min(**two);
            merged.push(least);
            ours.next_if(|one| **one == least);
            theirs.next_if(|two| **two == least);
        }
        merged.extend(ours);
        merged.extend(theirs);
        self.0 = merged;
    }

    pub(super) fn into_vec(self) -> Vec<T> {
        self.0
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set_of(values: &[u8]) -> SortedSet<u8> {
        let mut set = SortedSet::default();
        for value in values {
            set.insert(*value);
        }
        set
    }

    proptest! {
        #[test]
        fn it_is_like_any_other_set(
            steps in prop::collection::vec((any::<bool>(), 0..20_u8), 0..60),
            others in prop::collection::vec(0..40_u8, 0..30),
        ) {
            let mut set = SortedSet::default();
            let mut model = BTreeSet::new();
            for (adds, value) in steps {
                if adds {
                    prop_assert_eq!(set.insert(value), model.insert(value));
                } else {
                    prop_assert_eq!(set.remove(value), model.remove(&value));
                }
                prop_assert_eq!(set.contains(value), model.contains(&value));
                prop_assert_eq!(set.is_empty(), model.is_empty());
            }
            set.extend(&set_of(&others));
            let mut pushed = SortedSet::default();
            others.iter().for_each(|value| pushed.push(*value));
            pushed.sort();
            prop_assert_eq!(pushed, set_of(&others));
            model.extend(others);
            prop_assert_eq!(set.as_slice(), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.clone().into_vec(), set.as_slice());
        }
    }
}
