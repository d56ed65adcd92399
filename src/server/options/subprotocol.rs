//! WebSocket sub-protocols: what a client wants to be spoken above its WebSocket.

use crate::request::offered;
use core::fmt;
use std::rc::Rc;

/// Selects one of those that a client offers; by default the first.
#[derive(Clone, Default)]
pub(crate) struct Subprotocol(Option<Select>);

type Select = Rc<dyn for<'a> Fn(&[&'a str]) -> Option<&'a str>>;

impl Subprotocol {
    pub(crate) fn new(select: impl for<'a> Fn(&[&'a str]) -> Option<&'a str> + 'static) -> Self {
        Self(Some(Rc::new(select)))
    }

    /// Returns whether the application selects it.
    pub(crate) fn is_asked(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the one for a client whose `Sec-WebSocket-Protocol` is this. It is
    /// one of those in there (RFC 6455, section 4.2.2).
    pub(crate) fn select<'a>(&self, header: &'a str) -> Option<&'a str> {
        let offered: Vec<&str> = offered(header).collect();
        let selected = match &self.0 {
            Some(select) if !offered.is_empty() => select(&offered),
            Some(_) | None => offered.first().copied(),
        };
        selected.filter(|selected| offered.contains(selected))
    }
}

impl fmt::Debug for Subprotocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "selected"
        } else {
            "first"
        })
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn the_first_is_selected_unless_the_application_says_otherwise() {
        let first = Subprotocol::default();
        let chat = Subprotocol::new(|offered| offered.iter().copied().find(|name| *name == "chat"));
        let foreign = Subprotocol::new(|_| Some("foreign"));
        for (header, by_default, selected) in [
            ("", None, None),
            (" , ", None, None),
            ("chat", Some("chat"), Some("chat")),
            ("a,chat", Some("a"), Some("chat")),
            (" a , chat ", Some("a"), Some("chat")),
            ("a, b", Some("a"), None),
            ("Chat", Some("Chat"), None),
        ] {
            assert_eq!(first.select(header), by_default, "{header:?}");
            assert_eq!(chat.select(header), selected, "{header:?}");
            // What the client did not offer, it would not take.
            assert_eq!(foreign.select(header), None, "{header:?}");
        }
    }
}
