//! Writing arguments: serde's values as a JSON array, bytes as attachments.
//!
//! [`Json`] does the writing. What looks like an attachment's placeholder and is none is
//! changed, since no client could tell: see [`disarm`]. Whether a value is one argument
//! or several is found out first, by a serializer that writes nothing ([`Shape`]).

mod json;

use core::fmt;
use std::borrow::Cow;

use dormouse_proto::socket::{Args as Raw, RESERVED_NAMES, disarm, placeholders};
use dormouse_proto::sort;
use serde::ser::Impossible;
use serde::{Serialize, Serializer};
use serde_json::Error;

use self::json::Json;
use super::{Args, Arguments as _, EmitError};
use crate::api::error::{Failure, HandlerError};

/// Writes arguments, behind the event's name if there is one.
pub(super) fn arguments<T: Serialize + ?Sized>(
    value: &T,
    name: Option<&str>,
) -> Result<Raw<'static>, EmitError> {
    check_name(name)?;
    write(value, name).map_err(EmitError::Json)
}

fn write<T: Serialize + ?Sized>(value: &T, name: Option<&str>) -> Result<Raw<'static>, Error> {
    let mut writer = Writer::new(name);
    writer.arguments(value, Shape::of(value))?;
    Ok(writer.finish())
}

/// Writes arguments that are JSON already, with the placeholders of these attachments.
pub(super) fn raw(
    name: Option<&str>,
    items: &[&str],
    attachments: &[Vec<u8>],
) -> Result<Raw<'static>, EmitError> {
    check_name(name)?;
    let mut writer = Writer::new(name);
    for item in items {
        writer.separate();
        writer.json.text.push_str(item);
    }
    writer.json.attachments = attachments.to_vec();
    writer.find_placeholders();
    Ok(writer.finish())
}

/// Writes arguments that are a JSON array already, without attachments.
pub(super) fn array(name: Option<&str>, json: &str) -> Result<Raw<'static>, EmitError> {
    check_name(name)?;
    let items = json.trim().strip_prefix('[').unwrap_or_default();
    let mut writer = Writer::new(name);
    if !items.trim_start().starts_with(']') {
        writer.separate();
    }
    writer.json.text.push_str(items);
    // The end of the array is written last.
    writer.json.text.pop();
    Ok(writer.finish())
}

/// Refuses reserved names: every client treats an event with one of them as a
/// violation of the protocol, and closes its connection.
fn check_name(name: Option<&str>) -> Result<(), EmitError> {
    match name.filter(|name| RESERVED_NAMES.contains(name)) {
        Some(name) => Err(EmitError::ReservedName(name.to_owned())),
        None => Ok(()),
    }
}

/// The outcome of an event's handler.
#[derive(Debug)]
pub struct Replied {
    /// The values that the event is acknowledged with.
    pub(crate) args: Raw<'static>,
    /// The reason it failed, for the log.
    pub(crate) failed: Option<HandlerError>,
}

impl Default for Replied {
    fn default() -> Self {
        Self {
            args: Raw::new("[]", Vec::new()),
            failed: None,
        }
    }
}

impl Replied {
    /// Takes a handler's return value. A `Result` counts as what it holds; an error
    /// becomes an object with the error under `error`.
    pub(crate) fn with<T: Serialize + ?Sized>(value: &T) -> Self {
        let shape = Shape::of(value);
        let mut failed = None;
        let mut writer = Writer::new(None);
        let written = match shape {
            Shape::Ok(inner) => writer.arguments_of_ok(value, inner),
            Shape::Err => writer.put(value).map(|()| {
                // {"Err":…} → {"error":…}
                writer.replace(1, "{\"Err\":", "{\"error\":");
                failed = Some(writer.describe_error());
            }),
            Shape::None | Shape::One | Shape::Several => writer.arguments(value, shape),
        };
        match written {
            Ok(()) => Self {
                args: writer.finish(),
                failed,
            },
            Err(error) => Self::error(error.into()),
        }
    }

    /// Takes a value as it is, even if it is a `Result`.
    pub(crate) fn value<T: Serialize + ?Sized>(value: &T) -> Self {
        match write(value, None) {
            Ok(args) => Self { args, failed: None },
            Err(error) => Self::error(error.into()),
        }
    }

    /// Takes arguments as they came.
    pub(crate) fn raw(args: Args) -> Self {
        match args.encode(None) {
            Ok(args) => Self { args, failed: None },
            Err(error) => Self::error(error.into()),
        }
    }

    /// Takes an error instead of a value.
    pub(crate) fn error(error: HandlerError) -> Self {
        Self {
            args: error.failure.to_ack(),
            failed: Some(error),
        }
    }
}

impl Failure {
    /// Returns the values that an event is acknowledged with if it was not handled.
    pub(crate) fn to_ack(&self) -> Raw<'static> {
        let mut writer = Writer::new(None);
        writer.json.text.push_str("{\"error\":");
        writer.json.string(self.message());
        if let Some(data) = self.data() {
            writer.json.text.push_str(",\"data\":");
            writer.json.text.push_str(data);
        }
        writer.json.text.push('}');
        writer.finish()
    }
}

/// An array that is being written.
struct Writer {
    json: Json,
}

impl Writer {
    fn new(name: Option<&str>) -> Self {
        let mut json = Json::default();
        json.text.reserve(128);
        json.text.push('[');
        if let Some(name) = name {
            json.string(name);
        }
        Self { json }
    }

    fn separate(&mut self) {
        if self.json.text.len() > 1 {
            self.json.text.push(',');
        }
    }

    fn arguments<T: Serialize + ?Sized>(&mut self, value: &T, shape: Shape) -> Result<(), Error> {
        match shape {
            Shape::None => Ok(()),
            Shape::One | Shape::Ok(_) | Shape::Err => {
                self.separate();
                self.put(value)
            }
            Shape::Several => {
                self.separate();
                let start = self.json.text.len();
                self.put(value)?;
                self.open(start, "[", "]");
                Ok(())
            }
        }
    }

    /// Does the same for the value within an `Ok`.
    fn arguments_of_ok<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        inner: Inner,
    ) -> Result<(), Error> {
        let start = self.json.text.len();
        self.put(value)?;
        self.open(start, "{\"Ok\":", "}");
        match inner {
            Inner::None => self.json.text.truncate(start),
            Inner::One => {}
            Inner::Several => self.open(start, "[", "]"),
        }
        Ok(())
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(&mut self.json)
    }

    /// Finds the placeholders in a text that has not been written here.
    fn find_placeholders(&mut self) {
        let count = self.json.attachments.len();
        if count == 0 {
            return;
        }
        self.json.is_ambiguous = true;
        let all = placeholders(&self.json.text).into_iter();
        let named = all.filter(|it| it.num.is_some_and(|num| num < count));
        self.json.placeholders = named.map(|it| it.range.start).collect();
        sort(&mut self.json.placeholders);
    }

    /// Strips what a value begins and ends with.
    fn open(&mut self, start: usize, first: &str, last: &str) {
        self.replace(start, first, "");
        if let Some(rest) = self.json.text.strip_suffix(last) {
            self.json.text.truncate(rest.len());
        }
    }

    fn replace(&mut self, start: usize, old: &str, new: &str) {
        let rest = self.json.text.get(start..).unwrap_or_default();
        if rest.starts_with(old) {
            self.json.text.replace_range(start..start + old.len(), new);
            for place in self.json.placeholders.iter_mut().filter(|it| **it > start) {
                *place = *place + new.len() - old.len();
            }
        }
    }

    /// Returns the error in `[{"error":…}`: a string as it is, anything else as
    /// JSON.
    fn describe_error(&self) -> HandlerError {
        let json = &*self.json.text;
        let error = json
            .strip_prefix("[{\"error\":")
            .and_then(|error| error.strip_suffix('}'))
            .unwrap_or(json);
        match serde_json::from_str::<String>(error) {
            Ok(text) => HandlerError::new(text),
            Err(_) => HandlerError::new(error),
        }
    }

    fn finish(self) -> Raw<'static> {
        let Json {
            mut text,
            attachments,
            placeholders,
            is_ambiguous,
            ..
        } = self.json;
        text.push(']');
        if is_ambiguous
            && !attachments.is_empty()
            && let Cow::Owned(disarmed) = disarm(&text, &placeholders)
        {
            text = disarmed;
        }
        Raw::new(text, attachments)
    }
}

/// The number of arguments that a value stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `()`, or an array without items.
    None,
    One,
    /// A tuple or an array.
    Several,
    /// A `Result` that is `Ok`.
    Ok(Inner),
    /// A `Result` that is `Err`.
    Err,
}

/// The same for the value in a `Result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    None,
    One,
    Several,
}

impl Shape {
    fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        let look = Look {
            size: size_of_val(value),
        };
        match value.serialize(look) {
            Ok(()) => Self::One,
            Err(Seen(shape)) => shape,
        }
    }

    fn inner(self) -> Inner {
        match self {
            Self::None => Inner::None,
            Self::Several => Inner::Several,
            Self::One | Self::Ok(_) | Self::Err => Inner::One,
        }
    }
}

/// A serializer that looks at the first thing it is given and goes no further.
struct Look {
    /// Of the value, in bytes.
    size: usize,
}

/// The shape it has seen, as an error: that is how serializing ends early.
#[derive(Debug)]
struct Seen(Shape);

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl core::error::Error for Seen {}

impl serde::ser::Error for Seen {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        // Writing the value will fail in the same way, and report it.
        Self(Shape::One)
    }
}

macro_rules! one {
    ($($method:ident($($argument:ty),*) $(-> $answer:ty)?;)*) => {
        $(one!(@ $method($($argument),*) -> one!(? $($answer)?));)*
    };
    (? ) => { () };
    (? $answer:ty) => { $answer };
    (@ $method:ident($first:ty) -> $answer:ty) => {
        fn $method(self, _: $first) -> Result<$answer, Seen> {
            Err(Seen(Shape::One))
        }
    };
    (@ $method:ident($first:ty, $second:ty) -> $answer:ty) => {
        fn $method(self, _: $first, _: $second) -> Result<$answer, Seen> {
            Err(Seen(Shape::One))
        }
    };
    (@ $method:ident($first:ty, $second:ty, $third:ty) -> $answer:ty) => {
        fn $method(self, _: $first, _: $second, _: $third) -> Result<$answer, Seen> {
            Err(Seen(Shape::One))
        }
    };
    (@ $method:ident($first:ty, $second:ty, $third:ty, $fourth:ty) -> $answer:ty) => {
        fn $method(self, _: $first, _: $second, _: $third, _: $fourth) -> Result<$answer, Seen> {
            Err(Seen(Shape::One))
        }
    };
}

type Never = Impossible<(), Seen>;

impl Serializer for Look {
    type Ok = ();
    type Error = Seen;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    one! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_none(self) -> Result<(), Seen> {
        Err(Seen(Shape::One))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _value: &T) -> Result<(), Seen> {
        Err(Seen(Shape::One))
    }

    fn serialize_unit(self) -> Result<(), Seen> {
        // serde does not distinguish `()` from the null of a type that has other
        // values too, such as `serde_json::Value`. Their sizes differ.
        Err(Seen(match self.size {
            0 => Shape::None,
            _ => Shape::One,
        }))
    }

    fn serialize_tuple(self, length: usize) -> Result<Never, Seen> {
        Err(Seen(if length == 0 {
            Shape::None
        } else {
            Shape::Several
        }))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _value: &T,
    ) -> Result<(), Seen> {
        Err(Seen(Shape::One))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Seen> {
        Err(Seen(match (name, variant) {
            ("Result", "Ok") => Shape::Ok(Shape::of(value).inner()),
            ("Result", "Err") => Shape::Err,
            _ => Shape::One,
        }))
    }
}

#[cfg(test)]
mod tests;
