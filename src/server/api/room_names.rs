//! The ways to name rooms.

/// One room name, or several.
pub trait RoomNames {
    /// Returns the names.
    #[doc(hidden)]
    fn names(self) -> Vec<String>;
}

impl RoomNames for &str {
    fn names(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl RoomNames for String {
    fn names(self) -> Vec<String> {
        vec![self]
    }
}

impl RoomNames for &String {
    fn names(self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl<T: AsRef<str>> RoomNames for Vec<T> {
    fn names(self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl<T: AsRef<str>> RoomNames for &[T] {
    fn names(self) -> Vec<String> {
        self.iter().map(|name| name.as_ref().to_owned()).collect()
    }
}

impl<T: AsRef<str>, const N: usize> RoomNames for [T; N] {
    fn names(self) -> Vec<String> {
        self.as_slice().names()
    }
}
