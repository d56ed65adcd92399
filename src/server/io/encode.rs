//! Writing arguments: serde's values as a JSON array, bytes as attachments.
//!
//! serde_json does the writing. What is several arguments and what is one is
//! found out before, by a serializer that writes nothing ([`Shape`]).

use core::fmt;
use std::io;

use dormouse_proto::socket::Args as Raw;
use serde::ser::{Error as _, Impossible};
use serde::{Serialize, Serializer};
use serde_json::Error;
use serde_json::ser::Formatter;

/// Writes arguments, behind the event's name if there is one.
pub(super) fn arguments<T: Serialize + ?Sized>(
    value: &T,
    name: Option<&str>,
) -> Result<Raw<'static>, Error> {
    let mut writer = Writer::new(name)?;
    writer.arguments(value, Shape::of(value))?;
    writer.finish()
}

/// Writes arguments that are JSON already.
pub(super) fn raw(
    name: Option<&str>,
    items: &[&str],
    attachments: &[Vec<u8>],
) -> Result<Raw<'static>, Error> {
    let mut writer = Writer::new(name)?;
    for item in items {
        writer.separate();
        writer.json.extend_from_slice(item.as_bytes());
    }
    writer.attachments = attachments.to_vec();
    writer.finish()
}

/// What came of a handler.
#[derive(Clone, Debug)]
pub struct Replied {
    /// What its event is acknowledged with.
    pub(crate) args: Raw<'static>,
    /// Why it failed, for the log.
    pub(crate) failed: Option<String>,
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
    /// What a handler returned: a `Result` is what it holds, and an error is an
    /// object with it under `error`.
    pub(crate) fn with<T: Serialize + ?Sized>(value: &T) -> Self {
        Self::write(value).unwrap_or_else(|error| Self::error(&error.to_string()))
    }

    fn write<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        let mut writer = Writer::new(None)?;
        let shape = Shape::of(value);
        match shape {
            Shape::Ok(inner) => {
                writer.arguments_of_ok(value, inner)?;
                Ok(Self {
                    args: writer.finish()?,
                    failed: None,
                })
            }
            Shape::Err => {
                writer.put(value)?;
                // {"Err":…} → {"error":…}
                writer.replace(1, "{\"Err\":", "{\"error\":");
                let args = writer.finish()?;
                let failed = describe_error(args.json());
                Ok(Self {
                    args,
                    failed: Some(failed),
                })
            }
            Shape::None | Shape::One | Shape::Several => {
                writer.arguments(value, shape)?;
                Ok(Self {
                    args: writer.finish()?,
                    failed: None,
                })
            }
        }
    }

    /// What is answered where the handler itself could not be asked.
    pub(crate) fn error(message: &str) -> Self {
        let message_json = serde_json::to_string(message).unwrap_or_default();
        let object = format!("[{{\"error\":{message_json}}}]");
        Self {
            args: Raw::new(object, Vec::new()),
            failed: Some(message.to_owned()),
        }
    }
}

/// The error in `[{"error":…}]`: a string as it is, anything else as JSON.
fn describe_error(json: &str) -> String {
    let error = json
        .strip_prefix("[{\"error\":")
        .and_then(|error| error.strip_suffix("}]"));
    let error = error.unwrap_or(json);
    serde_json::from_str(error).unwrap_or_else(|_| error.to_owned())
}

/// The text of an array that is being written, and the bytes found on the way.
struct Writer {
    json: Vec<u8>,
    attachments: Vec<Vec<u8>>,
}

impl Writer {
    fn new(name: Option<&str>) -> Result<Self, Error> {
        let mut json = Vec::with_capacity(128);
        json.push(b'[');
        if let Some(name) = name {
            serde_json::to_writer(&mut json, name)?;
        }
        Ok(Self {
            json,
            attachments: Vec::new(),
        })
    }

    fn separate(&mut self) {
        if self.json.len() > 1 {
            self.json.push(b',');
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
                let start = self.json.len();
                self.put(value)?;
                self.open(start, "[", "]");
                Ok(())
            }
        }
    }

    /// The same for what is within an `Ok`.
    fn arguments_of_ok<T: Serialize + ?Sized>(
        &mut self,
        value: &T,
        inner: Inner,
    ) -> Result<(), Error> {
        let start = self.json.len();
        self.put(value)?;
        self.open(start, "{\"Ok\":", "}");
        match inner {
            Inner::None => self.json.truncate(start),
            Inner::One => {}
            Inner::Several => self.open(start, "[", "]"),
        }
        Ok(())
    }

    fn put<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let attach = Attach(&mut self.attachments);
        value.serialize(&mut serde_json::Serializer::with_formatter(
            &mut self.json,
            attach,
        ))
    }

    /// Takes off what a value begins and ends with.
    fn open(&mut self, start: usize, first: &str, last: &str) {
        self.replace(start, first, "");
        if self.json.ends_with(last.as_bytes()) {
            self.json.truncate(self.json.len() - last.len());
        }
    }

    fn replace(&mut self, start: usize, old: &str, new: &str) {
        let rest = self.json.get(start..).unwrap_or_default();
        if rest.starts_with(old.as_bytes()) {
            self.json.splice(start..start + old.len(), new.bytes());
        }
    }

    fn finish(mut self) -> Result<Raw<'static>, Error> {
        self.json.push(b']');
        let json = String::from_utf8(self.json).map_err(Error::custom)?;
        Ok(Raw::new(json, self.attachments))
    }
}

/// JSON in which bytes are placeholders.
struct Attach<'a>(&'a mut Vec<Vec<u8>>);

impl Formatter for Attach<'_> {
    fn write_byte_array<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        bytes: &[u8],
    ) -> io::Result<()> {
        let num = self.0.len();
        write!(writer, r#"{{"_placeholder":true,"num":{num}}}"#)?;
        self.0.push(bytes.to_vec());
        Ok(())
    }
}

/// How many arguments a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `()`, or a tuple without items.
    None,
    One,
    /// A tuple or an array.
    Several,
    /// The good side of a `Result`.
    Ok(Inner),
    /// The bad one.
    Err,
}

/// The same of what is in a `Result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    None,
    One,
    Several,
}

impl Shape {
    fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        match value.serialize(Look) {
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

/// A serializer that looks at the first thing it is told and goes no further.
struct Look;

/// What it has seen, as an error: that is how serializing ends early.
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
        // Writing it will fail in the same way, and tell.
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
        Err(Seen(Shape::None))
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

/// Why a handler failed: whatever error it met, as text.
///
/// Every error becomes one by `?`. The client that waits for an acknowledgement
/// gets `{"error": "…"}`, and the log a line.
///
/// ```
/// use dormouse::{Failed, Server, Socket};
///
/// let server = Server::new().namespace("/", |namespace| {
///     namespace.on("double", async |_socket: Socket, (text,): (String,)| {
///         let number: i64 = text.parse()?;
///         Ok::<_, Failed>(2 * number)
///     })
/// });
/// # let _ = server;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed(String);

impl Failed {
    /// A failure in these words.
    pub fn new(message: impl fmt::Display) -> Self {
        Self(message.to_string())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Failed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<E: core::error::Error> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Errors of ours are acknowledged with their words.
macro_rules! serialize_as_text {
    ($($error:ty)*) => {
        $(impl Serialize for $error {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        })*
    };
}

serialize_as_text!(super::EmitError super::ArgsError crate::client::SessionError crate::client::SendError);

#[cfg(test)]
mod tests;
