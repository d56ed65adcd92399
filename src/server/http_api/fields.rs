//! The members of an object in JSON, each read once, and by its name: whoever makes a
//! mistake is told where.

use core::fmt;

use dormouse_proto::socket::read_json;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::answer::Refused;
use super::body::malformed;

/// The maximum number of members of an object: more than any has that we know.
const MAX_MEMBERS: usize = 32;

/// The members of an object that have not been read yet.
pub(super) struct Fields<'a> {
    /// Where the object is: `operations[3].emit`, or nothing for the whole body.
    path: String,
    members: Vec<(String, &'a RawValue)>,
}

impl<'a> Fields<'a> {
    /// Reads the object in a body.
    pub(super) fn of_body(json: &'a str) -> Result<Self, Refused> {
        Self::read(String::new(), json)
    }

    /// Reads the object in a field.
    pub(super) fn of(path: String, raw: &'a RawValue) -> Result<Self, Refused> {
        Self::read(path, raw.get())
    }

    fn read(path: String, json: &'a str) -> Result<Self, Refused> {
        let Members(members) =
            serde_json::from_str(json).map_err(|error| match error.is_data() {
                true if path.is_empty() => malformed("the body must be an object"),
                true => Refused::field(&*path, "must be an object"),
                false => malformed(format!("the body is not JSON: {error}")),
            })?;
        let fields = Self { path, members };
        if let Some((name, _)) = fields.members.get(MAX_MEMBERS) {
            return Err(Refused::field(fields.name(name), "is one too many"));
        }
        let mut names = fields.members.iter().enumerate();
        let twice = names.find(|(index, (name, _))| {
            let mut before = fields.members.iter().take(*index);
            before.any(|(other, _)| other == name)
        });
        match twice {
            Some((_, (name, _))) => Err(Refused::field(fields.name(name), "is there twice")),
            None => Ok(fields),
        }
    }

    /// Returns the whole name of a member.
    pub(super) fn name(&self, name: &str) -> String {
        match self.path.is_empty() {
            true => name.to_owned(),
            false => format!("{}.{name}", self.path),
        }
    }

    /// Takes a member, with its whole name.
    pub(super) fn take(&mut self, name: &str) -> Option<(String, &'a RawValue)> {
        let place = self.members.iter().position(|(other, _)| other == name)?;
        let (_, raw) = self.members.swap_remove(place);
        Some((self.name(name), raw))
    }

    /// Takes a member unless it is `null`.
    pub(super) fn take_some(&mut self, name: &str) -> Option<(String, &'a RawValue)> {
        self.take(name).filter(|(_, raw)| raw.get() != "null")
    }

    /// Takes a member that must be there.
    pub(super) fn need(&mut self, name: &str) -> Result<(String, &'a RawValue), Refused> {
        let whole = self.name(name);
        self.take(name)
            .ok_or_else(|| Refused::field(whole, "is missing"))
    }

    /// Takes a text, if it is there.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Refused> {
        let taken = self.take(name);
        taken.map(|(name, raw)| text(&name, raw)).transpose()
    }

    /// Takes a list of texts, which is empty if it is not there.
    pub(super) fn texts(&mut self, name: &str, most: usize) -> Result<Vec<String>, Refused> {
        match self.take(name) {
            Some((name, raw)) => texts(&name, raw, most),
            None => Ok(Vec::new()),
        }
    }

    /// Takes a truth value, which is `false` if it is not there.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, Refused> {
        match self.take(name) {
            None => Ok(false),
            Some((name, raw)) => match raw.get() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(Refused::field(name, "must be true or false")),
            },
        }
    }

    /// Takes a whole number from 1 to `most`, if it is there.
    pub(super) fn number(&mut self, name: &str, most: u64) -> Result<Option<u64>, Refused> {
        let Some((name, raw)) = self.take(name) else {
            return Ok(None);
        };
        // `1e4` is one, too. Not read by serde: code that reads floating-point numbers
        // weighs 13 kB.
        match read_json(raw.get(), str::parse) {
            Ok(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => {
                let message = format!("must be a whole number from 1 to {most}");
                Err(Refused::field(name, message))
            }
        }
    }

    /// Returns the only member: its name, its whole name, and its value.
    pub(super) fn only(mut self) -> Option<(String, String, &'a RawValue)> {
        match (self.members.pop(), self.members.pop()) {
            (Some((name, raw)), None) => {
                let whole = self.name(&name);
                Some((name, whole, raw))
            }
            _ => None,
        }
    }

    /// Refuses members that nobody has taken.
    pub(super) fn finish(self) -> Result<(), Refused> {
        match self.members.first() {
            Some((name, _)) => Err(Refused::field(self.name(name), "is not known")),
            None => Ok(()),
        }
    }
}

/// Reads a text.
pub(super) fn text(name: &str, raw: &RawValue) -> Result<String, Refused> {
    let text = match raw.get().starts_with('"') {
        true => read_json(raw.get(), |json| serde_json::from_str(json)).ok(),
        false => None,
    };
    text.ok_or_else(|| Refused::field(name, "must be a string"))
}

/// Reads a list of texts.
pub(super) fn texts(name: &str, raw: &RawValue, most: usize) -> Result<Vec<String>, Refused> {
    let items = items(name, raw, most)?.into_iter();
    items.map(|(name, raw)| text(&name, raw)).collect()
}

/// Reads a list, with the name of each item.
pub(super) fn items<'a>(
    name: &str,
    raw: &'a RawValue,
    most: usize,
) -> Result<Vec<(String, &'a RawValue)>, Refused> {
    let items: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| Refused::field(name, "must be an array"))?;
    if items.len() > most {
        return Err(Refused::field(
            name,
            format!("must have at most {most} items"),
        ));
    }
    let items = items.into_iter().enumerate();
    Ok(items
        .map(|(index, raw)| (format!("{name}[{index}]"), raw))
        .collect())
}

/// The members of an object, in order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Self)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}
