//! serde's values as JSON text, with placeholders for bytes.
//!
//! What it writes is what serde_json writes, in less time: serde_json looks at strings
//! byte by byte, and whoever asks it for anything but compact JSON gets bytes, which have
//! to be looked through again before they are a `String`. Numbers are left to it.

use core::fmt::{self, Write as _};

use dormouse_proto::socket::push_escaped;
use serde::ser::{
    Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};
use serde::{Serialize, Serializer};
use serde_json::Error;

/// The beginning of the names of serde_json's own structs that hold JSON. The only field of
/// such a struct is a string, which is written as it is.
const VERBATIM: &str = "$serde_json::private::";

/// More than any number has digits.
const MAX_DIGITS: usize = 48;

/// A text that is being written, and the attachments found on the way.
#[derive(Default)]
pub(super) struct Json {
    pub(super) text: String,
    pub(super) attachments: Vec<Vec<u8>>,
    /// Where the placeholders of attachments are, in order.
    pub(super) placeholders: Vec<usize>,
    /// Something else may look like a placeholder.
    pub(super) is_ambiguous: bool,
    /// The next string is JSON.
    is_verbatim: bool,
}

impl Json {
    fn null(&mut self) -> Result<(), Error> {
        self.text.push_str("null");
        Ok(())
    }

    fn number(&mut self, number: impl Serialize) -> Result<(), Error> {
        let mut digits = [0; MAX_DIGITS];
        let mut rest = digits.as_mut_slice();
        serde_json::to_writer(&mut rest, &number)?;
        let length = MAX_DIGITS - rest.len();
        let digits = digits.get(..length).unwrap_or_default();
        self.text
            .push_str(core::str::from_utf8(digits).map_err(Error::custom)?);
        Ok(())
    }

    /// Appends a string.
    pub(super) fn string(&mut self, text: &str) {
        self.text.push('"');
        push_escaped(text, &mut self.text);
        self.text.push('"');
    }

    /// Appends the name of a member.
    fn key(&mut self, name: &str) {
        self.is_ambiguous |= name == "_placeholder";
        self.string(name);
    }

    fn begin(&mut self, first: char, last: &'static str) -> Items<'_> {
        self.text.push(first);
        Items {
            json: self,
            is_first: true,
            last,
        }
    }

    /// Begins an object whose only member has a variant's name.
    fn variant(&mut self, name: &str) {
        self.text.push('{');
        self.key(name);
        self.text.push(':');
    }
}

/// Implements methods for numbers and bytes that are written in the same way.
macro_rules! numbers {
    ($($method:ident($number:ty);)*) => {
        $(fn $method(self, number: $number) -> Result<(), Error> {
            self.number(number)
        })*
    };
}

impl<'a> Serializer for &'a mut Json {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    numbers! {
        serialize_i64(i64);
        serialize_i128(i128);
        serialize_u64(u64);
        serialize_u128(u128);
        serialize_f32(f32);
        serialize_f64(f64);
    }

    fn serialize_i8(self, number: i8) -> Result<(), Error> {
        self.number(i64::from(number))
    }

    fn serialize_i16(self, number: i16) -> Result<(), Error> {
        self.number(i64::from(number))
    }

    fn serialize_i32(self, number: i32) -> Result<(), Error> {
        self.number(i64::from(number))
    }

    fn serialize_u8(self, number: u8) -> Result<(), Error> {
        self.number(u64::from(number))
    }

    fn serialize_u16(self, number: u16) -> Result<(), Error> {
        self.number(u64::from(number))
    }

    fn serialize_u32(self, number: u32) -> Result<(), Error> {
        self.number(u64::from(number))
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.text.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_char(self, character: char) -> Result<(), Error> {
        self.string(character.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        match core::mem::take(&mut self.is_verbatim) {
            true => self.text.push_str(text),
            false => self.string(text),
        }
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), Error> {
        let num = self.attachments.len();
        self.placeholders.push(self.text.len());
        self.attachments.push(bytes.to_vec());
        self.text.push_str(r#"{"_placeholder":true,"num":"#);
        self.number(num)?;
        self.text.push('}');
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.null()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.null()
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), Error> {
        self.null()
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.string(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.text.push('}');
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.begin('[', "]"))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Items<'a>, Error> {
        Ok(self.begin('[', "]"))
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _length: usize,
    ) -> Result<Items<'a>, Error> {
        Ok(self.begin('[', "]"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant);
        Ok(self.begin('[', "]}"))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Items<'a>, Error> {
        Ok(self.begin('{', "}"))
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Items<'a>, Error> {
        if name.starts_with(VERBATIM) {
            self.is_verbatim = true;
            self.is_ambiguous = true;
            return Ok(Items {
                json: self,
                is_first: true,
                last: "",
            });
        }
        Ok(self.begin('{', "}"))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Items<'a>, Error> {
        self.variant(variant);
        Ok(self.begin('{', "}}"))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.text.push('"');
        // An error is the value's own: it fails as `to_string` does.
        write!(Escaped(&mut self.text), "{value}").map_err(Error::custom)?;
        self.text.push('"');
        Ok(())
    }
}

/// Writes the inside of a string.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(text, self.0);
        Ok(())
    }
}

/// An array or object of which some items have been written.
pub(super) struct Items<'a> {
    json: &'a mut Json,
    is_first: bool,
    /// The text that closes it.
    last: &'static str,
}

impl Items<'_> {
    fn separate(&mut self) {
        if !core::mem::take(&mut self.is_first) {
            self.json.text.push(',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.separate();
        value.serialize(&mut *self.json)
    }

    fn member<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Error> {
        if !self.json.is_verbatim {
            self.separate();
            self.json.key(key);
            self.json.text.push(':');
        }
        value.serialize(&mut *self.json)
    }

    fn close(self) -> Result<(), Error> {
        self.json.text.push_str(self.last);
        Ok(())
    }
}

/// Implements a kind of array or object.
macro_rules! items {
    ($($kind:ident::$method:ident($($key:ident)?) is $as:ident;)*) => {
        $(impl $kind for Items<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), Error> {
                self.$as($($key,)? value)
            }

            fn end(self) -> Result<(), Error> {
                self.close()
            }
        })*
    };
}

items! {
    SerializeSeq::serialize_element() is item;
    SerializeTuple::serialize_element() is item;
    SerializeTupleStruct::serialize_field() is item;
    SerializeTupleVariant::serialize_field() is item;
    SerializeStruct::serialize_field(key) is member;
    SerializeStructVariant::serialize_field(key) is member;
}

impl SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.separate();
        key.serialize(Key(self.json))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        self.json.text.push(':');
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Result<(), Error> {
        self.close()
    }
}

/// Writes a key: a string, or what has one form only as one.
struct Key<'a>(&'a mut Json);

impl Key<'_> {
    fn quoted(self, scalar: impl Serialize) -> Result<(), Error> {
        self.0.text.push('"');
        self.0.number(scalar)?;
        self.0.text.push('"');
        Ok(())
    }

    fn finite(self, number: impl Serialize + Into<f64> + Copy) -> Result<(), Error> {
        match number.into().is_finite() {
            true => self.quoted(number),
            false => Err(Error::custom(
                "float key must be finite (got NaN or +/-inf)",
            )),
        }
    }
}

fn not_a_key<T>() -> Result<T, Error> {
    Err(Error::custom("key must be a string"))
}

type Never = Impossible<(), Error>;

macro_rules! keys {
    ($($method:ident($scalar:ty) is $as:ident;)*) => {
        $(fn $method(self, scalar: $scalar) -> Result<(), Error> {
            self.$as(scalar)
        })*
    };
}

/// Implements methods for what is not a key.
macro_rules! not_keys {
    ($($method:ident($($argument:ty),*) -> $answer:ty;)*) => {
        $(not_keys!(@ $method($($argument),*) -> $answer);)*
    };
    (@ $method:ident() -> $answer:ty) => {
        fn $method(self) -> Result<$answer, Error> {
            not_a_key()
        }
    };
    (@ $method:ident($first:ty) -> $answer:ty) => {
        fn $method(self, _: $first) -> Result<$answer, Error> {
            not_a_key()
        }
    };
    (@ $method:ident($first:ty, $second:ty) -> $answer:ty) => {
        fn $method(self, _: $first, _: $second) -> Result<$answer, Error> {
            not_a_key()
        }
    };
    (@ $method:ident($first:ty, $second:ty, $third:ty, $fourth:ty) -> $answer:ty) => {
        fn $method(self, _: $first, _: $second, _: $third, _: $fourth) -> Result<$answer, Error> {
            not_a_key()
        }
    };
}

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    keys! {
        serialize_bool(bool) is quoted;
        serialize_i8(i8) is quoted;
        serialize_i16(i16) is quoted;
        serialize_i32(i32) is quoted;
        serialize_i64(i64) is quoted;
        serialize_i128(i128) is quoted;
        serialize_u8(u8) is quoted;
        serialize_u16(u16) is quoted;
        serialize_u32(u32) is quoted;
        serialize_u64(u64) is quoted;
        serialize_u128(u128) is quoted;
        serialize_f32(f32) is finite;
        serialize_f64(f64) is finite;
    }

    not_keys! {
        serialize_bytes(&[u8]) -> ();
        serialize_none() -> ();
        serialize_unit() -> ();
        serialize_unit_struct(&'static str) -> ();
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    fn serialize_char(self, character: char) -> Result<(), Error> {
        self.0.serialize_char(character)
    }

    fn serialize_str(self, text: &str) -> Result<(), Error> {
        self.0.key(text);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.0.key(variant);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _value: &T,
    ) -> Result<(), Error> {
        not_a_key()
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), Error> {
        self.0.is_ambiguous = true;
        self.0.collect_str(value)
    }
}
