//! The headers of answers, and what the platform is given for them.

use core::cell::RefCell;
use std::borrow::Cow;

use web_sys::{Headers, ResponseInit};

use super::origins;
use crate::incoming::Incoming;
use crate::options::{Added, Options};

/// The headers of an answer that is being made. Those of ours are there once.
#[derive(Default, PartialEq)]
pub(super) struct Lines(Vec<(Cow<'static, str>, String)>);

/// How many of the platform's values for the headers of answers are kept.
const KEPT: usize = 4;

thread_local! {
    /// The status and headers of the last answers, and what the platform was given for
    /// them. Most polls are answered alike, and each header is a call to JavaScript.
    static LAST: RefCell<Vec<(u16, Lines, ResponseInit)>> = RefCell::default();
}

impl Lines {
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        self.0.push((name.into(), value.to_owned()));
    }

    /// Sets a cookie. One that is set over TLS is sent back over nothing else.
    pub(super) fn set_cookie(&mut self, options: &Options, request: &Incoming, cookie: &str) {
        let is_secure = |attribute: &str| attribute.trim().eq_ignore_ascii_case("secure");
        if origins::is_secure(options, request) && !cookie.split(';').any(is_secure) {
            self.set("set-cookie", &format!("{cookie}; Secure"));
        } else {
            self.set("set-cookie", cookie);
        }
    }

    /// Adds the application's headers.
    pub(super) fn add(&mut self, options: &Options, request: &Incoming, added: Added) {
        let added = options.added(request.raw(), added).into_iter();
        self.0
            .extend(added.map(|(name, value)| (name.into(), value)));
    }

    /// Returns what the platform takes for an answer with this status, which is not to be
    /// changed.
    pub(super) fn init(self, status: u16) -> ResponseInit {
        LAST.with_borrow_mut(|last| {
            let mut alike = last.iter();
            let alike = alike.find(|(other, lines, _)| *other == status && *lines == self);
            if let Some((_, _, init)) = alike {
                return init.clone();
            }
            let init = self.new_init(status);
            last.truncate(KEPT - 1);
            last.insert(0, (status, self, init.clone()));
            init
        })
    }

    pub(super) fn new_init(&self, status: u16) -> ResponseInit {
        let init = ResponseInit::new();
        init.set_status(status);
        // It throws for a bad initial value, and we pass none.
        if !self.0.is_empty()
            && let Ok(headers) = Headers::new()
        {
            for (name, value) in &self.0 {
                // It throws for an invalid value; then the header is left out.
                let _ = headers.append(name, value);
            }
            init.set_headers(&headers);
        }
        init
    }
}
