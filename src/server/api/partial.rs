//! What an operation on sockets of many objects has not reached.

use core::fmt;
use core::ops::Deref;

use dormouse_proto::cluster;

/// The objects that an operation has not reached, or that have not answered.
///
/// There are none in a server of one object. In [one of many](crate::Placement::spread),
/// one may be overloaded, or its machine cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Missing {
    /// The number of objects that are known to be missing.
    pub objects: usize,
    /// Whether there may be more: it was not to be learnt which objects have sockets that
    /// are meant.
    pub others: bool,
}

impl Missing {
    /// Returns whether nobody is missing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.others { "at least " } else { "" };
        match self.objects {
            0 if self.others => f.write_str("it is not known which objects have such sockets"),
            1 => write!(f, "{least}1 object did not answer"),
            count => write!(f, "{least}{count} objects did not answer"),
        }
    }
}

impl From<cluster::Missing> for Missing {
    fn from(missing: cluster::Missing) -> Self {
        Self {
            objects: missing.count as usize,
            others: missing.is_late || !missing.hubs.is_empty(),
        }
    }
}

/// What all objects of a server have answered, and which of them are [`Missing`].
///
/// It is used like a list:
///
/// ```no_run
/// # async fn example(io: dormouse::Io) -> Result<(), dormouse::EmitError> {
/// let sockets = io.fetch_sockets().await?;
/// println!("{} sockets; {}", sockets.len(), sockets.missing());
/// for socket in sockets {
///     println!("{}", socket.id());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gathered<T> {
    items: Vec<T>,
    missing: Missing,
}

impl<T> Gathered<T> {
    pub(super) fn new(items: Vec<T>, missing: Missing) -> Self {
        Self { items, missing }
    }

    /// Returns the objects that have not answered.
    pub fn missing(&self) -> Missing {
        self.missing
    }

    /// Returns what there is as a plain list.
    pub fn into_vec(self) -> Vec<T> {
        self.items
    }
}

impl<T> Deref for Gathered<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> IntoIterator for Gathered<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Gathered<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn it_is_said_how_many_did_not_answer() {
        for (objects, others, said) in [
            (0, false, "0 objects did not answer"),
            (1, false, "1 object did not answer"),
            (2, false, "2 objects did not answer"),
            (0, true, "it is not known which objects have such sockets"),
            (1, true, "at least 1 object did not answer"),
            (2, true, "at least 2 objects did not answer"),
        ] {
            assert_eq!(Missing { objects, others }.to_string(), said);
        }
    }
}
