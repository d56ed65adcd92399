//! A map that weighs little, even beside `Map` of the core, for what is not that much: it
//! moves whatever is behind an entry that comes or goes.

use core::cell::Cell;

/// A map in the order of its keys. Inserting moves what is behind, a few bytes per
/// entry.
pub(crate) struct Table<K, V> {
    entries: Vec<(K, Box<V>)>,
    /// Where something was found last: it is often looked for again, or by a broadcast
    /// the entry behind it.
    last: Cell<usize>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            last: Cell::new(0),
        }
    }
}

#[cfg(test)]
thread_local! {
    /// The number of look-ups in all tables so far.
    pub(crate) static LOOK_UPS: Cell<usize> = const { Cell::new(0) };
}

impl<K: Ord + Copy, V> Table<K, V> {
    fn position(&self, key: K) -> Result<usize, usize> {
        #[cfg(test)]
        LOOK_UPS.set(LOOK_UPS.get() + 1);
        let last = self.last.get();
        if self.is_at(last, key) {
            return Ok(last);
        }
        let found = if self.is_at(last + 1, key) {
            Ok(last + 1)
        } else {
            self.entries.binary_search_by(|(other, _)| other.cmp(&key))
        };
        if let Ok(position) = found {
            self.last.set(position);
        }
        found
    }

    fn is_at(&self, position: usize, key: K) -> bool {
        let entry = self.entries.get(position);
        entry.is_some_and(|(other, _)| *other == key)
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        self.position(key).is_ok()
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let position = self.position(key).ok()?;
        self.entries.get(position).map(|(_, value)| &**value)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let position = self.position(key).ok()?;
        self.entries
            .get_mut(position)
            .map(|(_, value)| &mut **value)
    }

    /// Inserts a value, or replaces the one that is there.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        let value = Box::new(value);
        match self.position(key) {
            Ok(position) => {
                if let Some((_, old)) = self.entries.get_mut(position) {
                    *old = value;
                }
            }
            Err(position) => self.entries.insert(position, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<Box<V>> {
        let position = self.position(key).ok()?;
        Some(self.entries.remove(position).1)
    }

    /// Removes the last value, which moves none of the others, and returns its key.
    pub(crate) fn pop(&mut self) -> Option<K> {
        self.entries.pop().map(|(key, _)| key)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.entries.iter().map(|(key, _)| *key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.entries.iter().map(|(key, value)| (*key, &**value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn it_is_like_any_other_map() {
        let mut table = Table::default();
        let mut model = BTreeMap::new();
        // This visits all numbers below 97, in some order.
        for step in 0..400_u32 {
            let key = step * 31 % 97;
            match step % 3 {
                0 | 1 => {
                    table.insert(key, step);
                    model.insert(key, step);
                }
                _ => assert_eq!(table.remove(key).map(|it| *it), model.remove(&key)),
            }
            assert_eq!(table.get(key), model.get(&key));
            assert_eq!(table.get_mut(key), model.get_mut(&key));
            assert_eq!(table.contains(key), model.contains_key(&key));
            assert!(
                table
                    .iter()
                    .eq(model.iter().map(|(key, value)| (*key, value)))
            );
        }
        assert!(table.keys().eq(model.keys().copied()));
        while let Some((key, _)) = model.pop_last() {
            assert_eq!(table.pop(), Some(key));
        }
        assert_eq!(table.pop(), None);
    }
}
