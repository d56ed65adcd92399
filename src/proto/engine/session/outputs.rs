//! The outputs of a session, and how much they hold.

use alloc::collections::VecDeque;

use crate::engine::{Answer, Output};

/// What is still to be done, in order.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    queue: VecDeque<Output>,
    bytes: usize,
}

impl Outputs {
    pub(super) fn push_back(&mut self, output: Output) {
        self.bytes = self.bytes.saturating_add(held_by(&output));
        self.queue.push_back(output);
    }

    pub(super) fn pop_front(&mut self) -> Option<Output> {
        let output = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(held_by(&output));
        Some(output)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Returns the number of bytes of all frames and payloads.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn held_by(output: &Output) -> usize {
    match output {
        Output::Send { frame, .. } => frame.len(),
        Output::Answer { answer, .. } => match answer {
            Answer::Payload(_, body) => body.len(),
            Answer::Received | Answer::TooLarge | Answer::Refused(_) => 0,
        },
        Output::ReadBody { .. }
        | Output::CloseSocket { .. }
        | Output::Upgraded
        | Output::Closed(_) => 0,
    }
}
