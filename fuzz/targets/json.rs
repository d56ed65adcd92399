//! JSON as a tree that keeps everything, to judge by what only reads the text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Whole(u64),
    Other(f64),
    Text(String),
    List(Vec<Json>),
    Map(Vec<(String, Json)>),
}

/// Reads a text. `None` where it is no JSON; also where it is nested more deeply
/// than is worth while, holds half a character, or a number too large: see
/// [`is_odd`].
pub(super) fn parse(text: &str) -> Option<Json> {
    serde_json::from_str(text).ok()
}

/// Whether a text that is not [`parse`]d may be JSON all the same.
pub(super) fn is_odd(text: &str) -> bool {
    let Err(error) = serde_json::from_str::<Json>(text) else {
        return false;
    };
    let error = error.to_string();
    [
        "recursion limit",
        "surrogate",
        "hex escape",
        "number out of range",
    ]
    .iter()
    .any(|kind| error.contains(kind))
}

/// Below this, numbers are exact however they are written.
pub(super) const EXACT: u64 = 1 << 53;

impl Json {
    /// Whether the values are the same, numbers as JavaScript has them.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(_) | Self::Other(_), Self::Whole(_) | Self::Other(_)) => {
                self.number() == other.number()
            }
            (Self::List(one), Self::List(other)) => {
                let same = |(one, other): (&Self, &Self)| one.is_same(other);
                one.len() == other.len() && one.iter().zip(other).all(same)
            }
            (Self::Map(one), Self::Map(other)) => {
                let same = |((a, one), (b, other)): (&(String, Self), &(String, Self))| {
                    a == b && one.is_same(other)
                };
                one.len() == other.len() && one.iter().zip(other).all(same)
            }
            (one, other) => one == other,
        }
    }

    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Whole(number) => *number as f64,
            Self::Other(number) => *number,
            Self::Null | Self::Bool(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => f64::NAN,
        }
    }

    /// The attachments that its placeholders name, as JavaScript would find them:
    /// of two equal keys the later one counts.
    pub(super) fn placeholders(&self) -> Vec<Option<usize>> {
        let mut found = Vec::new();
        self.collect(&mut found);
        found
    }

    fn collect(&self, found: &mut Vec<Option<usize>>) {
        match self {
            Self::List(items) => items.iter().for_each(|item| item.collect(found)),
            Self::Map(entries) => {
                entries.iter().for_each(|(_, value)| value.collect(found));
                let last = |name| entries.iter().rev().find(|(key, _)| key == name);
                if last("_placeholder").is_some_and(|(_, value)| *value == Self::Bool(true)) {
                    found.push(match last("num") {
                        Some((_, Self::Whole(num))) => usize::try_from(*num).ok(),
                        _ => None,
                    });
                }
            }
            Self::Null | Self::Bool(_) | Self::Whole(_) | Self::Other(_) | Self::Text(_) => {}
        }
    }

    /// How deep it is nested.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::depth).max().unwrap_or(0),
            Self::Map(entries) => 1 + entries.iter().map(|(_, it)| it.depth()).max().unwrap_or(0),
            Self::Null | Self::Bool(_) | Self::Whole(_) | Self::Other(_) | Self::Text(_) => 0,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Whole(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Other(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        let whole = value as u64;
        Ok(match whole as f64 == value && whole < EXACT {
            true => Json::Whole(whole),
            false => Json::Other(value),
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Json::Map(map))
    }
}
