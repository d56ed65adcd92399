//! Editing what is kept elsewhere, where others may be faster.

use core::cell::RefCell;
use core::task::{Context, Poll, Waker};

use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

/// What comes of a future that has nothing to wait for.
fn now<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match Box::pin(future).as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

/// What is kept, and how many others write something before each attempt.
struct Elsewhere {
    kept: RefCell<Option<String>>,
    faster: RefCell<usize>,
}

impl Elsewhere {
    fn new(kept: Option<&str>, faster: usize) -> Self {
        Self {
            kept: RefCell::new(kept.map(str::to_owned)),
            faster: RefCell::new(faster),
        }
    }

    fn replace(&self, update: Update<'static>) -> Result<Reply, PortError> {
        let mut kept = self.kept.borrow_mut();
        let mut faster = self.faster.borrow_mut();
        if *faster > 0 {
            *faster -= 1;
            *kept = Some(format!("{}", 100 * (*faster + 1)));
        }
        Ok(match update.apply(kept.as_deref()) {
            Ok(json) => {
                *kept = Some(json);
                Reply::Done
            }
            Err(reply) => reply,
        })
    }

    /// Adds one, and returns the sum and how often it was tried.
    fn add_one(&self) -> Result<(u32, usize), SessionError> {
        let mut tries = 0;
        let add = |value: &mut u32| {
            tries += 1;
            *value += 1;
            *value
        };
        let first = Reply::Json(self.kept.borrow().clone());
        let sum = now(edit(first, async |update| self.replace(update), add))?;
        Ok((sum, tries))
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_edit_starts_from_what_is_kept() {
    for (kept, sum) in [(None, 1), (Some("41"), 42)] {
        let elsewhere = Elsewhere::new(kept, 0);
        assert_eq!(elsewhere.add_one().unwrap(), (sum, 1));
        assert_eq!(elsewhere.kept.take(), Some(sum.to_string()));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_others_write_meanwhile_is_not_lost() {
    for faster in [1, 2, MOST_ATTEMPTS - 1] {
        let elsewhere = Elsewhere::new(None, faster);
        assert_eq!(elsewhere.add_one().unwrap(), (101, faster + 1));
        assert_eq!(elsewhere.kept.take().as_deref(), Some("101"));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn an_edit_gives_up_in_the_end() {
    for faster in [MOST_ATTEMPTS, MOST_ATTEMPTS + 1] {
        let elsewhere = Elsewhere::new(None, faster);
        let failed = elsewhere.add_one();
        assert!(matches!(failed, Err(SessionError::Contended)), "{failed:?}");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn what_cannot_be_read_or_kept_is_an_error() {
    let elsewhere = Elsewhere::new(Some("\"text\""), 0);
    assert!(matches!(elsewhere.add_one(), Err(SessionError::Json(_))));
    assert_eq!(elsewhere.kept.take().as_deref(), Some("\"text\""));
    for (length, fits) in [(MAX_SESSION - 2, true), (MAX_SESSION - 1, false)] {
        let written = write(&"x".repeat(length));
        match written {
            Ok(json) => assert!(fits && json.len() == MAX_SESSION),
            Err(error) => assert!(!fits && matches!(error, SessionError::TooLarge)),
        }
    }
}
