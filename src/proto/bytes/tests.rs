//! What is written is what serde would write, in fewer steps.

use alloc::vec;
use core::fmt::Debug;

use postcard::de_flavors::{Flavor as Source, Slice};
use postcard::ser_flavors::{AllocVec, Flavor as Sink};
use postcard::{Deserializer, Error, serialize_with_flavor};
use serde::de::DeserializeOwned;

use super::*;
use crate::engine::Data;
use crate::socket::Args;

/// Counts the steps of writing.
struct Writing {
    to: AllocVec,
    steps: usize,
}

impl Sink for Writing {
    type Output = (Vec<u8>, usize);

    fn try_push(&mut self, data: u8) -> Result<(), Error> {
        self.steps += 1;
        self.to.try_push(data)
    }

    fn try_extend(&mut self, data: &[u8]) -> Result<(), Error> {
        self.steps += 1;
        self.to.try_extend(data)
    }

    fn finalize(self) -> Result<Self::Output, Error> {
        Ok((self.to.finalize()?, self.steps))
    }
}

/// Counts the steps of reading.
struct Reading<'de> {
    from: Slice<'de>,
    steps: usize,
}

impl<'de> Source<'de> for Reading<'de> {
    type Remainder = usize;
    type Source = &'de [u8];

    fn pop(&mut self) -> Result<u8, Error> {
        self.steps += 1;
        self.from.pop()
    }

    fn size_hint(&self) -> Option<usize> {
        self.from.size_hint()
    }

    fn try_take_n(&mut self, count: usize) -> Result<&'de [u8], Error> {
        self.steps += 1;
        self.from.try_take_n(count)
    }

    fn finalize(self) -> Result<usize, Error> {
        Ok(self.steps)
    }
}

/// Checks that a value is written and read in so many steps.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, expect: usize) {
    let to = AllocVec::new();
    let (bytes, steps) = serialize_with_flavor(value, Writing { to, steps: 0 }).unwrap();
    assert_eq!(steps, expect, "written");
    let from = Slice::new(&bytes);
    let mut deserializer = Deserializer::from_flavor(Reading { from, steps: 0 });
    assert_eq!(T::deserialize(&mut deserializer).as_ref(), Ok(value));
    // Each of the lengths has three bytes, which are read one by one.
    let lengths = bytes.len() / LONG * 2;
    assert_eq!(deserializer.finalize().unwrap(), expect + lengths, "read");
}

const LONG: usize = 100_000;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    #[serde(with = "crate::bytes")]
    one: Vec<u8>,
    #[serde(with = "crate::bytes::each")]
    each: Vec<Vec<u8>>,
    #[serde(with = "crate::bytes::option")]
    option: Option<Vec<u8>>,
}

#[test]
fn bytes_of_any_length_take_as_many_steps() {
    let long = || vec![7; LONG];
    let row = Row {
        one: long(),
        each: vec![long(), long()],
        option: Some(long()),
    };
    // For each a length and the bytes; the number of two, and that it is there.
    check(&row, 4 * 2 + 2);
    let two = vec![long(), long()];
    // The length of the text, the text, and the number of attachments.
    check(&Args::new("[]", two), 2 + 1 + 2 * 2);
    check(&Data::from(long()), 1 + 2);
}

#[test]
fn they_are_written_as_numbers_would_be() {
    for option in [None, Some(vec![3])] {
        let plain = (vec![1_u8, 0xff], vec![vec![], vec![2_u8]], option.clone());
        let row = Row {
            one: plain.0.clone(),
            each: plain.1.clone(),
            option,
        };
        let written = postcard::to_allocvec(&row).unwrap();
        assert_eq!(written, postcard::to_allocvec(&plain).unwrap());
        assert_eq!(postcard::from_bytes(&written), Ok(row));
    }
}

#[test]
fn what_is_cut_short_is_an_error() {
    let row = Row {
        one: vec![1, 2, 3],
        each: vec![vec![4]],
        option: Some(vec![5]),
    };
    let written = postcard::to_allocvec(&row).unwrap();
    for end in 0..written.len() {
        assert!(postcard::from_bytes::<Row>(&written[..end]).is_err());
    }
    // A length that is not there takes no memory.
    let long = postcard::to_allocvec(&u64::MAX).unwrap();
    assert!(postcard::from_bytes::<Row>(&long).is_err());
}
