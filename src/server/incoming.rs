//! A request that is read once, however often it is asked.

use core::cell::OnceCell;

use web_sys::{Headers, Request};

/// A request to a server.
///
/// Each property of the platform's is a call to JavaScript, and a copy of a text. Many parts
/// ask for the same ones, so they are kept.
#[derive(Clone, Debug)]
pub struct Incoming {
    raw: Request,
    method: OnceCell<String>,
    url: OnceCell<String>,
    headers: OnceCell<Headers>,
}

impl Incoming {
    pub(crate) fn new(raw: Request) -> Self {
        Self {
            raw,
            method: OnceCell::new(),
            url: OnceCell::new(),
            headers: OnceCell::new(),
        }
    }

    /// Returns the request as the platform knows it.
    pub(crate) fn raw(&self) -> &Request {
        &self.raw
    }

    pub(crate) fn method(&self) -> &str {
        self.method.get_or_init(|| self.raw.method())
    }

    pub(crate) fn url(&self) -> &str {
        self.url.get_or_init(|| self.raw.url())
    }

    /// Gives up the URL, which is as long as the client likes: where nobody asks for it
    /// again, a request that is held is not to keep it twice.
    pub(crate) fn forget_url(&mut self) {
        self.url.take();
    }

    pub(crate) fn headers(&self) -> &Headers {
        self.headers.get_or_init(|| self.raw.headers())
    }

    /// Returns the value of a header, whose values are joined with commas if it has several.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        // It throws for an invalid name; ours are valid.
        self.headers().get(name).ok().flatten()
    }
}
