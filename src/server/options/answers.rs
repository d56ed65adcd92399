//! Headers that an application adds to the answers of a server.

use core::cell::RefCell;
use core::fmt;
use std::rc::Rc;

use super::{Options, Origins, is_token};
use crate::log::{self, Level};

/// The headers that an application adds to an answer: see
/// [`Server::headers`](crate::Server::headers) and
/// [`initial_headers`](crate::Server::initial_headers).
pub struct AnswerHeaders<'a> {
    options: &'a Options,
    added: Vec<(String, String)>,
}

/// Names that are not the application's: they say how an answer is to be read, and by
/// whom.
const RESERVED: [&str; 11] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "keep-alive",
    "retry-after",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-content-type-options",
];

const OF_WEBSOCKETS: &str = "sec-websocket-";
const OF_CORS: &str = "access-control-";

impl AnswerHeaders<'_> {
    /// Adds a header, beside any of the same name: `Set-Cookie` can be there several times.
    ///
    /// Headers on which the protocol and the platform depend cannot be added:
    /// `Content-Type`, `-Length` and `-Encoding`, `Cache-Control`, `Connection`,
    /// `Keep-Alive`, `Retry-After`, `Trailer`, `Transfer-Encoding`, `Upgrade`,
    /// `X-Content-Type-Options`, and `Sec-WebSocket-…`. Nor can `Access-Control-…`, unless
    /// the application takes care of CORS itself:
    /// [`Origins::Unchecked`](crate::Origins::Unchecked). These are left out, and so is what
    /// cannot be a header; the log says so once.
    pub fn append(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        let is_unchecked = self.options.origins == Origins::Unchecked;
        let is_reserved = RESERVED.contains(&&*name)
            || name.starts_with(OF_WEBSOCKETS)
            || (name.starts_with(OF_CORS) && !is_unchecked);
        if is_reserved {
            return warn(self.options, &name, "it is the server's own");
        }
        if name.is_empty() || !name.bytes().all(is_token) || !value.chars().all(is_value) {
            return warn(
                self.options,
                &name,
                "its name or its value cannot be that of a header",
            );
        }
        self.added.push((name, value.to_owned()));
    }
}

impl fmt::Debug for AnswerHeaders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.added).finish()
    }
}

/// RFC 9110, section 5.5: what a header's value may hold. The platform takes characters for
/// bytes.
fn is_value(c: char) -> bool {
    matches!(c, '\t' | ' '..='~' | '\u{80}'..='\u{ff}')
}

/// The application's functions that add headers.
#[derive(Clone, Default)]
pub(crate) struct Additions {
    initial: Vec<Add>,
    usual: Vec<Add>,
}

type Add = Rc<dyn Fn(&worker::Request, &mut AnswerHeaders<'_>)>;

/// What is added to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Added {
    /// What is added to every answer.
    #[default]
    Usual,
    /// That, and what is added to the answer that opens a session.
    Initial,
    /// Nothing: the application has failed to say what.
    Nothing,
}

impl Additions {
    pub(crate) fn add_initial(&mut self, add: Add) {
        self.initial.push(add);
    }

    pub(crate) fn add_usual(&mut self, add: Add) {
        self.usual.push(add);
    }

    /// Whether the application adds anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.initial.is_empty() && self.usual.is_empty()
    }
}

impl fmt::Debug for Additions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "none" } else { "some" })
    }
}

impl Options {
    /// Returns the headers that the application adds to the answer to a request.
    pub(crate) fn added(&self, request: &web_sys::Request, added: Added) -> Vec<(String, String)> {
        let Additions { initial, usual } = &self.additions;
        let initial = match added {
            Added::Initial => &**initial,
            Added::Usual => &[],
            Added::Nothing => return Vec::new(),
        };
        let is_asked = !(initial.is_empty() && usual.is_empty());
        // Whoever hands over because of a panic has no other chance.
        if !is_asked || std::thread::panicking() {
            return Vec::new();
        }
        let request = worker::Request::from(Clone::clone(request));
        let mut headers = AnswerHeaders {
            options: self,
            added: Vec::new(),
        };
        for add in initial.iter().chain(usual) {
            add(&request, &mut headers);
        }
        headers.added
    }
}

/// The most names of which an instance logs that they are left out.
const MAX_WARNED: usize = 16;

thread_local! {
    static WARNED: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Logs that a header is left out, unless this instance has done so before.
fn warn(options: &Options, name: &str, message: &str) {
    let is_new = WARNED.with_borrow_mut(|warned| {
        let is_new = warned.len() < MAX_WARNED && !warned.iter().any(|it| it == name);
        if is_new {
            warned.push(name.to_owned());
        }
        is_new
    });
    if is_new {
        let fields = [
            ("header", name),
            ("path", &*options.path),
            ("message", message),
        ];
        log::log(&options.log, Level::Warn, "header left out", &fields);
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::log::Log;

    fn appended(origins: Origins, headers: &[(&str, &str)]) -> String {
        let options = Options {
            origins,
            // There is no console where tests run natively.
            log: Log {
                level: Level::Off,
                ..Log::default()
            },
            ..Options::default()
        };
        let mut answer = AnswerHeaders {
            options: &options,
            added: Vec::new(),
        };
        for (name, value) in headers {
            answer.append(name, value);
        }
        format!("{answer:?}")
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn headers_are_added_beside_each_other() {
        assert_eq!(
            appended(
                Origins::Same,
                &[("Set-Cookie", "a=1"), ("set-cookie", "b=\t2"), ("x", "")]
            ),
            r#"[("set-cookie", "a=1"), ("set-cookie", "b=\t2"), ("x", "")]"#
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_server_s_own_are_left_out() {
        for name in [
            "Content-Type",
            "content-length",
            "CACHE-CONTROL",
            "Upgrade",
            "sec-websocket-accept",
            "Sec-WebSocket-Protocol",
            "access-control-allow-origin",
            "X-Content-Type-Options",
        ] {
            assert_eq!(appended(Origins::Same, &[(name, "x")]), "[]", "{name}");
            assert_eq!(appended("*".into(), &[(name, "x")]), "[]", "{name}");
        }
        // Whoever takes care of CORS needs them.
        assert_eq!(
            appended(
                Origins::Unchecked,
                &[
                    ("Access-Control-Allow-Origin", "*"),
                    ("Sec-WebSocket-Accept", "x")
                ]
            ),
            r#"[("access-control-allow-origin", "*")]"#
        );
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_cannot_be_a_header_is_left_out() {
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("é", "x"),
            ("a\r\nb", "x"),
            ("a", "x\r\nset-cookie: b=1"),
            ("a", "\0"),
            ("a", "\u{7f}"),
            ("a", "€"),
        ] {
            let added = appended(Origins::Same, &[(name, value)]);
            assert_eq!(added, "[]", "{name:?} {value:?}");
        }
    }
}
