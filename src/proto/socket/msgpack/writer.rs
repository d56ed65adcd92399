//! Writing JSON with attachments as msgpack: two passes over the text.
//!
//! In msgpack the number of items comes before the items. So the first pass counts
//! them, and the second one writes. Neither is recursive.

use alloc::vec::Vec;

use crate::socket::args::{Member, Object};
use crate::socket::json::unquoted;
use crate::socket::tokens::{Token, Tokens};

/// The maximum depth of what is written, far beyond what is read from clients: the
/// application may put a client's value deep into its own. What is deeper is `null`,
/// since the clients' library is recursive.
const MAX_DEPTH: usize = 1_000;

#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

/// An array or an object in a text.
#[derive(Clone, Copy)]
enum Container {
    /// It has so many items.
    Items(usize),
    /// It is the placeholder of this attachment.
    Attachment(usize),
}

/// An array or an object that is being counted.
struct Open {
    /// Its index among all of them.
    index: usize,
    /// `None` if it is an array.
    object: Option<Object>,
    /// The key of the value that comes next.
    key: Member,
}

/// The arrays and objects of a text, in the order in which they begin. Those that are
/// too deep, or within a placeholder, are left out.
#[derive(Default)]
struct Count {
    all: Vec<Container>,
    open: Vec<Open>,
}

impl Count {
    fn of(json: &str, attachments: usize) -> Vec<Container> {
        let mut count = Self::default();
        let mut tokens = Tokens::new(json);
        while let Some((_, token)) = tokens.next() {
            match token {
                Token::Key(quoted) => count.key(Member::of(quoted)),
                Token::CloseObject | Token::CloseArray => count.close(attachments),
                Token::OpenObject | Token::OpenArray => {
                    count.value(token);
                    if count.open.len() > MAX_DEPTH {
                        tokens.skip_rest(token);
                    } else {
                        count.begin(token == Token::OpenObject);
                    }
                }
                Token::String(_) | Token::Number(_) | Token::True | Token::False | Token::Null => {
                    count.value(token)
                }
            }
        }
        count.all
    }

    fn begin(&mut self, is_object: bool) {
        self.open.push(Open {
            index: self.all.len(),
            object: is_object.then(Object::default),
            key: Member::Other,
        });
        self.all.push(Container::Items(0));
    }

    fn key(&mut self, name: Member) {
        if let Some(Open { object, key, .. }) = self.open.last_mut() {
            *key = name;
            if let Some(object) = object {
                object.handle_key(name);
            }
        }
    }

    /// Counts a value for whatever it is in.
    fn value(&mut self, first: Token<'_>) {
        let Some(Open { index, object, key }) = self.open.last_mut() else {
            return;
        };
        if let Some(object) = object {
            object.handle_value(core::mem::take(key), first);
        }
        if let Some(Container::Items(count)) = self.all.get_mut(*index) {
            *count += 1;
        }
    }

    fn close(&mut self, attachments: usize) {
        let Some(Open { index, object, .. }) = self.open.pop() else {
            return;
        };
        let num = object.and_then(|object| object.placeholder()).flatten();
        if let Some(num) = num.filter(|num| *num < attachments) {
            self.all.truncate(index);
            self.all.push(Container::Attachment(num));
        }
    }
}

impl Writer {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes a JSON value, with bytes in the places of attachments. `last` is one more
    /// item if it is an array.
    pub(super) fn json(&mut self, json: &str, attachments: &[Vec<u8>], last: Option<&str>) {
        let mut containers = Count::of(json, attachments.len()).into_iter();
        let mut tokens = Tokens::new(json);
        let mut depth = 0;
        let last = last.filter(|_| json.trim_start().starts_with('['));
        let more = usize::from(last.is_some());
        let start = self.bytes.len();
        while let Some((_, token)) = tokens.next() {
            match token {
                Token::OpenObject | Token::OpenArray if depth > MAX_DEPTH => {
                    tokens.skip_rest(token);
                    self.bytes.push(0xc0);
                }
                Token::OpenObject | Token::OpenArray => match containers.next() {
                    Some(Container::Attachment(num)) => {
                        tokens.skip_rest(token);
                        self.binary(attachments.get(num).map_or(&[], Vec::as_slice));
                    }
                    Some(Container::Items(count)) => {
                        match token == Token::OpenObject {
                            true => self.map(count),
                            false if depth == 0 => self.list(count + more),
                            false => self.list(count),
                        }
                        depth += 1;
                    }
                    None => {}
                },
                Token::CloseObject | Token::CloseArray => depth -= usize::from(depth > 0),
                Token::Key(quoted) | Token::String(quoted) => self.string(&unquoted(quoted)),
                Token::Number(number) => self.number(number),
                Token::True => self.bytes.push(0xc3),
                Token::False => self.bytes.push(0xc2),
                Token::Null => self.bytes.push(0xc0),
            }
        }
        if let Some(last) = last {
            self.string(last);
        }
        if self.bytes.len() == start {
            self.bytes.push(0xc0);
        }
    }

    pub(super) fn map(&mut self, count: usize) {
        self.length(count, Some((0x80, 15)), [None, Some(0xde), Some(0xdf)]);
    }

    fn list(&mut self, count: usize) {
        self.length(count, Some((0x90, 15)), [None, Some(0xdc), Some(0xdd)]);
    }

    fn number(&mut self, json: &str) {
        if let Ok(number) = json.parse() {
            self.unsigned(number);
        } else if let Ok(number) = json.parse() {
            self.signed(number);
        } else {
            let number: f64 = json.parse().unwrap_or_default();
            self.bytes.push(0xcb);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    pub(super) fn unsigned(&mut self, number: u64) {
        if let Ok(number) = u8::try_from(number) {
            if number >= 0x80 {
                self.bytes.push(0xcc);
            }
            self.bytes.push(number);
        } else if let Ok(number) = u16::try_from(number) {
            self.bytes.push(0xcd);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = u32::try_from(number) {
            self.bytes.push(0xce);
            self.bytes.extend(number.to_be_bytes());
        } else {
            self.bytes.push(0xcf);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    fn signed(&mut self, number: i64) {
        if let Ok(number) = u64::try_from(number) {
            self.unsigned(number);
        } else if let Ok(number @ -32..) = i8::try_from(number) {
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = i8::try_from(number) {
            self.bytes.push(0xd0);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = i16::try_from(number) {
            self.bytes.push(0xd1);
            self.bytes.extend(number.to_be_bytes());
        } else if let Ok(number) = i32::try_from(number) {
            self.bytes.push(0xd2);
            self.bytes.extend(number.to_be_bytes());
        } else {
            self.bytes.push(0xd3);
            self.bytes.extend(number.to_be_bytes());
        }
    }

    pub(super) fn string(&mut self, text: &str) {
        self.length(
            text.len(),
            Some((0xa0, 31)),
            [Some(0xd9), Some(0xda), Some(0xdb)],
        );
        self.bytes.extend(text.as_bytes());
    }

    fn binary(&mut self, bytes: &[u8]) {
        self.length(bytes.len(), None, [Some(0xc4), Some(0xc5), Some(0xc6)]);
        self.bytes.extend(bytes);
    }

    /// Writes a length behind the shortest prefix that has room for it.
    fn length(&mut self, length: usize, short: Option<(u8, usize)>, prefixes: [Option<u8>; 3]) {
        let [one, two, four] = prefixes;
        match (short, one, two) {
            (Some((prefix, most)), _, _) if length <= most => {
                self.bytes.push(prefix | length as u8);
            }
            (_, Some(prefix), _) if length <= 0xff => {
                self.bytes.extend([prefix, length as u8]);
            }
            (_, _, Some(prefix)) if length <= 0xffff => {
                self.bytes.push(prefix);
                self.bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                self.bytes.push(four.unwrap_or_default());
                self.bytes.extend((length as u32).to_be_bytes());
            }
        }
    }
}
