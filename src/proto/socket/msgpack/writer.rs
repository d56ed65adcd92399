//! Writing JSON with attachments as msgpack: one pass over the text, which is not
//! recursive.
//!
//! In msgpack the number of items comes before the items. So an array or object begins
//! with a byte that has room for up to 15; where there turn out to be more, the bytes are
//! copied once at the end, with the longer lengths between them.

use alloc::vec::Vec;

use crate::socket::args::{Member, Object};
use crate::socket::json::unquoted;
use crate::socket::tokens::{Token, Tokens};
use crate::sort;

/// The maximum depth of what is written, far beyond what is read from clients: the
/// application may put a client's value deep into its own. What is deeper is `null`,
/// since the clients' library is recursive.
const MAX_DEPTH: usize = 1_000;

/// What an object begins with, and the maximum number of items in that byte.
const MAP: (u8, usize) = (0x80, 15);
/// The same for an array.
const LIST: (u8, usize) = (0x90, 15);

#[derive(Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

/// An array or an object that is being written.
struct Open {
    /// Where its first byte is.
    at: usize,
    /// The number of its items.
    count: usize,
    /// `None` if it is an array.
    object: Option<Object>,
    /// The key of the value that comes next.
    key: Member,
}

/// The arrays and objects around what comes next, and what has to be done about others.
#[derive(Default)]
struct Containers {
    open: Vec<Open>,
    /// Those that have more items than go into their first byte: where it is, and the
    /// number of items.
    long: Vec<(usize, usize)>,
}

impl Containers {
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
        if let Some(open) = self.open.last_mut() {
            open.count += 1;
            if let Some(object) = &mut open.object {
                object.handle_value(core::mem::take(&mut open.key), first);
            }
        }
    }
}

impl Writer {
    /// Creates a writer of about so many bytes.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Writes a JSON value, with bytes in the places of attachments. `last` is one more
    /// item if it is an array.
    pub(super) fn json(&mut self, json: &str, attachments: &[Vec<u8>], last: Option<&str>) {
        let mut tokens = Tokens::new(json);
        let mut containers = Containers::default();
        let last = last.filter(|_| json.trim_start().starts_with('['));
        let start = self.bytes.len();
        while let Some((_, token)) = tokens.next() {
            match token {
                Token::Key(quoted) => {
                    let name = unquoted(quoted);
                    containers.key(Member::named(&name));
                    self.string(&name);
                    continue;
                }
                Token::CloseObject | Token::CloseArray => {
                    let more = usize::from(last.is_some() && containers.open.len() == 1);
                    self.close(&mut containers, attachments, more);
                    continue;
                }
                Token::OpenObject
                | Token::OpenArray
                | Token::String(_)
                | Token::Number(_)
                | Token::True
                | Token::False
                | Token::Null => containers.value(token),
            }
            match token {
                Token::OpenObject | Token::OpenArray if containers.open.len() > MAX_DEPTH => {
                    tokens.skip_rest(token);
                    self.bytes.push(0xc0);
                }
                Token::OpenObject => self.open(&mut containers, MAP, Some(Object::default())),
                Token::OpenArray => self.open(&mut containers, LIST, None),
                Token::String(quoted) => self.string(&unquoted(quoted)),
                Token::Number(number) => self.number(number),
                Token::True => self.bytes.push(0xc3),
                Token::False => self.bytes.push(0xc2),
                Token::Null => self.bytes.push(0xc0),
                Token::Key(_) | Token::CloseObject | Token::CloseArray => {}
            }
        }
        if let Some(last) = last {
            self.string(last);
        }
        if self.bytes.len() == start {
            self.bytes.push(0xc0);
        }
        self.widen(containers.long);
    }

    fn open(&mut self, containers: &mut Containers, first: (u8, usize), object: Option<Object>) {
        containers.open.push(Open {
            at: self.bytes.len(),
            count: 0,
            object,
            key: Member::Other,
        });
        self.bytes.push(first.0);
    }

    /// Ends the innermost array or object, which has so many more items.
    fn close(&mut self, containers: &mut Containers, attachments: &[Vec<u8>], more: usize) {
        let Some(Open {
            at, count, object, ..
        }) = containers.open.pop()
        else {
            return;
        };
        let count = count + more;
        let num = object.and_then(|object| object.placeholder()).flatten();
        if let Some(attachment) = num.and_then(|num| attachments.get(num)) {
            self.bytes.truncate(at);
            while containers.long.pop_if(|(long, _)| *long > at).is_some() {}
            self.binary(attachment);
        } else if count > LIST.1 {
            containers.long.push((at, count));
        } else if let Some(first) = self.bytes.get_mut(at) {
            *first |= count as u8;
        }
    }

    /// Makes room for the lengths of the arrays and objects that have many items.
    fn widen(&mut self, mut long: Vec<(usize, usize)>) {
        if long.is_empty() {
            return;
        }
        sort(&mut long);
        let room = self.bytes.len() + 4 * long.len();
        let narrow = core::mem::replace(&mut self.bytes, Vec::with_capacity(room));
        let mut rest = &*narrow;
        for (at, count) in long {
            let copied = narrow.len() - rest.len();
            let (before, behind) = rest.split_at_checked(at - copied).unwrap_or_default();
            self.bytes.extend_from_slice(before);
            match behind.split_first() {
                Some((first, behind)) => {
                    match *first == MAP.0 {
                        true => self.map(count),
                        false => self.list(count),
                    }
                    rest = behind;
                }
                None => rest = behind,
            }
        }
        self.bytes.extend_from_slice(rest);
    }

    pub(super) fn map(&mut self, count: usize) {
        self.length(count, Some(MAP), [None, Some(0xde), Some(0xdf)]);
    }

    fn list(&mut self, count: usize) {
        self.length(count, Some(LIST), [None, Some(0xdc), Some(0xdd)]);
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
