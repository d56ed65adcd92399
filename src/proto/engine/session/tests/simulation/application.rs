//! The messages of both sides, which have to arrive once and in order.

use alloc::format;
use alloc::string::String;

use super::random::Random;
use crate::engine::{Data, Reason};

/// Counts the messages of one side as it sees them.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) closed: Option<Reason>,
    /// The application closed the session, and all it had sent must arrive.
    pub(super) dismissed: bool,
}

impl Account {
    /// Returns the next message to send: its number, as text or as bytes.
    pub(super) fn next_message(&mut self, random: &mut Random) -> Data<'static> {
        let text = format!("{}€", self.sent);
        self.sent += 1;
        if random.once_in(3) {
            Data::from(text.into_bytes())
        } else {
            Data::from(text)
        }
    }

    /// Takes in a message, which must be the next one.
    pub(super) fn handle_message(&mut self, message: &Data<'_>) {
        assert_eq!(self.closed, None, "{message:?} comes after the end");
        let text = match message {
            Data::Text(text) => text.clone().into_owned(),
            Data::Binary(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        };
        assert_eq!(text, format!("{}€", self.received));
        self.received += 1;
    }
}
