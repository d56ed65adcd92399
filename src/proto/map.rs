//! A map and a set in order that weigh little: each instance of a `BTreeMap` costs some 5 kB
//! of wasm, and of these a fifth of that. What is inserted or removed moves only a few others.

use alloc::vec;
use alloc::vec::{IntoIter, Vec};
use core::borrow::Borrow;
use core::iter::Flatten;
use core::{mem, slice};

/// The number of entries in a chunk that is split before it takes another one. Tests have many
/// chunks.
const FULL: usize = if cfg!(test) { 4 } else { 64 };

/// A map in the order of its keys.
#[derive(Clone, Debug)]
pub struct Map<K, V> {
    /// Its entries, in order. None of the chunks is empty.
    chunks: Vec<Vec<(K, V)>>,
    len: usize,
}

/// Where an entry is: in which chunk, and where in there.
type Place = (usize, usize);

impl<K, V> Map<K, V> {
    /// Creates an empty map.
    pub const fn new() -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
        }
    }

    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the entries in order.
    pub fn iter(&self) -> Iter<'_, K, V> {
        Iter(self.chunks.iter().flatten())
    }

    /// Returns the entries in order, with values that can be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        let entries = self.chunks.iter_mut().flatten();
        entries.map(|(key, value)| (&*key, value))
    }

    /// Returns the keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// Returns the values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }

    /// Returns the values to be changed, in the order of their keys.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// Removes all entries that are not to be kept.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &mut V) -> bool) {
        let mut len = 0;
        self.chunks.retain_mut(|chunk| {
            chunk.retain_mut(|(key, value)| is_kept(key, value));
            len += chunk.len();
            !chunk.is_empty()
        });
        self.len = len;
    }

    /// Removes the first entry.
    pub fn pop_first(&mut self) -> Option<(K, V)> {
        (self.len > 0).then(|| self.take((0, 0)))?
    }

    fn take(&mut self, (chunk, at): Place) -> Option<(K, V)> {
        let entries = self.chunks.get_mut(chunk)?;
        let entry = entries.remove(at);
        if entries.is_empty() {
            self.chunks.remove(chunk);
        }
        self.len -= 1;
        Some(entry)
    }

    fn at(&mut self, (chunk, at): Place) -> Option<&mut V> {
        let entry = self.chunks.get_mut(chunk)?.get_mut(at);
        entry.map(|(_, value)| value)
    }
}

impl<K: Ord, V> Map<K, V> {
    /// Returns where a key is, or where it belongs.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<Place, Place>
    where
        K: Borrow<Q>,
    {
        let is_before = |chunk: &Vec<(K, V)>| chunk.last().is_some_and(|it| it.0.borrow() < key);
        let chunk = self.chunks.partition_point(is_before);
        let entries = self.chunks.get(chunk).map_or(&[][..], Vec::as_slice);
        match entries.binary_search_by(|(other, _)| other.borrow().cmp(key)) {
            Ok(at) => Ok((chunk, at)),
            Err(at) => Err((chunk, at)),
        }
    }

    /// Puts an entry where it belongs, and returns where it is then.
    fn put(&mut self, (mut chunk, mut at): Place, key: K, value: V) -> Place {
        self.len += 1;
        let count = self.chunks.len();
        // What is behind all others goes to them.
        if chunk == count
            && let Some(last) = count.checked_sub(1)
        {
            (chunk, at) = (last, self.chunks.last().map_or(0, Vec::len));
        }
        match self.chunks.get_mut(chunk) {
            Some(entries) if entries.len() < FULL => entries.insert(at, (key, value)),
            Some(_) if at == FULL && chunk + 1 == count => {
                (chunk, at) = (count, 0);
                self.chunks.push(vec![(key, value)]);
            }
            Some(entries) => {
                let mut others = entries.split_off(FULL / 2);
                if at <= FULL / 2 {
                    entries.insert(at, (key, value));
                    self.chunks.insert(chunk + 1, others);
                } else {
                    at -= FULL / 2;
                    chunk += 1;
                    others.insert(at, (key, value));
                    self.chunks.insert(chunk, others);
                }
            }
            None => self.chunks.push(vec![(key, value)]),
        }
        (chunk, at)
    }

    /// Returns the value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (chunk, at) = self.find(key).ok()?;
        let entry = self.chunks.get(chunk)?.get(at);
        entry.map(|(_, value)| value)
    }

    /// Returns the value of a key, to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.at(place)
    }

    /// Returns whether there is a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// Inserts a value, and returns the one that it replaces.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.find(&key) {
            Ok(place) => self.at(place).map(|old| mem::replace(old, value)),
            Err(place) => {
                self.put(place, key, value);
                None
            }
        }
    }

    /// Removes a key, and returns its value.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let place = self.find(key).ok()?;
        self.take(place).map(|(_, value)| value)
    }

    /// Returns the entry of a key, which may be missing.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        Entry { map: self, key }
    }
}

/// The entry of a key, which may be missing.
#[derive(Debug)]
pub struct Entry<'a, K, V> {
    map: &'a mut Map<K, V>,
    key: K,
}

impl<'a, K: Ord, V> Entry<'a, K, V> {
    /// Returns its value. If it is missing, it is inserted with this one.
    pub fn or_insert_with(self, value: impl FnOnce() -> V) -> &'a mut V {
        let Self { map, key } = self;
        let place = match map.find(&key) {
            Ok(place) => place,
            Err(place) => map.put(place, key, value()),
        };
        // `find` returns the place of an entry that is there, and `put` that of the new one;
        // nothing has been inserted or removed since.
        map.at(place)
            .expect("an entry is where it was found or put")
    }

    /// Returns its value. If it is missing, it is inserted with this one.
    pub fn or_insert(self, value: V) -> &'a mut V {
        self.or_insert_with(|| value)
    }

    /// Returns its value. If it is missing, it is inserted with the default.
    pub fn or_default(self) -> &'a mut V
    where
        V: Default,
    {
        self.or_insert_with(V::default)
    }
}

// Which entries share a chunk depends on what has been inserted and removed before.
impl<K: PartialEq, V: PartialEq> PartialEq for Map<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other)
    }
}

impl<K: Eq, V: Eq> Eq for Map<K, V> {}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Ord, V> Extend<(K, V)> for Map<K, V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        entries.into_iter().for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Map<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = Flatten<IntoIter<Vec<(K, V)>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.chunks.into_iter().flatten()
    }
}

impl<'a, K, V> IntoIterator for &'a Map<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The entries of a [`Map`], in order.
#[derive(Debug)]
pub struct Iter<'a, K, V>(Flatten<slice::Iter<'a, Vec<(K, V)>>>);

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }
}

/// A set in the order of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set<T>(Map<T, ()>);

impl<T> Set<T> {
    /// Creates an empty set.
    pub const fn new() -> Self {
        Self(Map::new())
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the values in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.keys()
    }

    /// Returns the first value.
    pub fn first(&self) -> Option<&T> {
        self.iter().next()
    }

    /// Removes the first value.
    pub fn pop_first(&mut self) -> Option<T> {
        self.0.pop_first().map(|(value, ())| value)
    }

    /// Removes all values.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// Removes all values that are not to be kept.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        self.0.retain(|value, ()| is_kept(value));
    }
}

impl<T: Ord> Set<T> {
    /// Returns whether a value is in there.
    pub fn contains<Q: Ord + ?Sized>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.contains_key(value)
    }

    /// Inserts a value. Returns `false` if it was there already.
    pub fn insert(&mut self, value: T) -> bool {
        self.0.insert(value, ()).is_none()
    }

    /// Removes a value. Returns `false` if it was not there.
    pub fn remove<Q: Ord + ?Sized>(&mut self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.remove(value).is_some()
    }

    /// Returns the values that another set does not have.
    pub fn difference<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> {
        self.iter().filter(|value| !other.contains(*value))
    }

    /// Returns the values that another set has, too.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a T> {
        self.iter().filter(|value| other.contains(*value))
    }
}

impl<T> Default for Set<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Ord> Extend<T> for Set<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        self.0.extend(values.into_iter().map(|value| (value, ())));
    }
}

impl<T: Ord> FromIterator<T> for Set<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut set = Self::new();
        set.extend(values);
        set
    }
}

impl<T> IntoIterator for Set<T> {
    type Item = T;
    type IntoIter = core::iter::Map<Flatten<IntoIter<Vec<(T, ())>>>, fn((T, ())) -> T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|(value, ())| value)
    }
}

impl<'a, T> IntoIterator for &'a Set<T> {
    type Item = &'a T;
    type IntoIter = core::iter::Map<Iter<'a, T, ()>, fn((&'a T, &'a ())) -> &'a T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(value, ())| value)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use proptest::prelude::*;

    use super::{FULL, Map, Set};

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Insert(u8),
        Enter(u8),
        Remove(u8),
        PopFirst,
        Retain(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..40_u8).prop_map(Step::Insert),
            3 => (0..40_u8).prop_map(Step::Enter),
            3 => (0..40_u8).prop_map(Step::Remove),
            1 => Just(Step::PopFirst),
            1 => (2..9_u8).prop_map(Step::Retain),
        ]
    }

    proptest! {
        #[test]
        fn it_is_like_any_other_map(steps in prop::collection::vec(step(), 0..120)) {
            let (mut map, mut model) = (Map::new(), BTreeMap::new());
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Insert(key) => {
                        prop_assert_eq!(map.insert(key, number), model.insert(key, number));
                    }
                    Step::Enter(key) => {
                        *map.entry(key).or_default() += number;
                        *model.entry(key).or_default() += number;
                    }
                    Step::Remove(key) => prop_assert_eq!(map.remove(&key), model.remove(&key)),
                    Step::PopFirst => prop_assert_eq!(map.pop_first(), model.pop_first()),
                    Step::Retain(divisor) => {
                        map.retain(|key, _| key % divisor != 0);
                        model.retain(|key, _| key % divisor != 0);
                    }
                }
                prop_assert!(map.iter().eq(&model));
                prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
                for key in 0..40 {
                    prop_assert_eq!(map.get(&key), model.get(&key));
                }
                prop_assert_eq!(&map, &model.clone().into_iter().collect());
                prop_assert!(map.chunks.iter().all(|chunk| (1..=FULL).contains(&chunk.len())));
            }
            prop_assert!(map.into_iter().eq(model));
        }
    }

    #[test]
    fn sets_are_compared() {
        let one: Set<_> = [3, 1, 2].into_iter().collect();
        let two = [2, 3, 4].into_iter().collect();
        assert_eq!(one.difference(&two).copied().collect::<Vec<_>>(), [1]);
        assert_eq!(one.intersection(&two).copied().collect::<Vec<_>>(), [2, 3]);
        assert_eq!(one.first(), Some(&1));
        assert_eq!(one.into_iter().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
