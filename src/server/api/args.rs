//! The arguments of events and acknowledgements: from the wire's text straight into
//! the application's own types, and back.

use core::cell::RefCell;
use core::fmt;
use core::ops::Deref;
use std::borrow::Cow;

use dormouse_proto::socket::{Args as Raw, disarm, placeholders, read_json};
use serde::de::{
    self, DeserializeOwned, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{EmitError, encode};

/// The maximum number of bytes that one event may have read again from its
/// attachments. Clients name each attachment once. Naming it again costs the client
/// some 30 bytes, and us a copy of the attachment.
const MAX_REPEATED: usize = 1 << 20;

/// Bytes among an event's arguments. They travel as an attachment, wherever they are
/// within other values.
///
/// ```
/// use dormouse::Binary;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Photo {
///     title: String,
///     pixels: Binary,
/// }
/// # let _ = Photo { title: "a".into(), pixels: Binary::from(vec![1, 2]) };
/// ```
///
/// Outside of events, as in a socket's data, it is an array of numbers.
///
/// On the wire, `{"_placeholder":true,"num":0}` stands for the first attachment. So in
/// an event or an acknowledgement that has bytes in it, a member `_placeholder` of
/// anything else is sent as `false`, whatever it is: no client could tell the two apart,
/// and would put other bytes there or end its connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Binary(pub Vec<u8>);

impl Deref for Binary {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Binary {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Binary> for Vec<u8> {
    fn from(binary: Binary) -> Self {
        binary.0
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The serializer for events turns bytes into attachments.
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BinaryVisitor).map(Self)
    }
}

struct BinaryVisitor;

impl<'de> Visitor<'de> for BinaryVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Self::Value, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = items.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut is_placeholder, mut num) = (false, None);
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            match &*key {
                "_placeholder" => is_placeholder = entries.next_value()?,
                "num" => num = Some(entries.next_value()?),
                _ => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        let num: Option<usize> = num.filter(|_| is_placeholder);
        num.and_then(attachment)
            .ok_or_else(|| de::Error::invalid_type(de::Unexpected::Map, &self))
    }
}

thread_local! {
    /// The attachments of the arguments that are being read; one reading may happen
    /// within another.
    static ATTACHMENTS: RefCell<Vec<Vec<Vec<u8>>>> = const { RefCell::new(Vec::new()) };
}

fn attachment(num: usize) -> Option<Vec<u8>> {
    ATTACHMENTS.with_borrow(|readings| readings.last()?.get(num).cloned())
}

/// Lets [`Binary`] find its attachments until it is dropped.
struct Reading;

impl Reading {
    fn new(args: &Raw<'_>) -> Result<Self, ArgsError> {
        let attachments = args.attachments();
        if repeated(args) > MAX_REPEATED {
            return Err(ArgsError {
                place: None,
                message: "attachments are named too often".to_owned(),
            });
        }
        // This is pushed even if there are none, because those of an outer reading
        // are not ours.
        ATTACHMENTS.with_borrow_mut(|readings| readings.push(attachments.to_vec()));
        Ok(Self)
    }
}

/// The length of a placeholder that could not be shorter.
const SHORTEST_PLACEHOLDER: usize = r#"{"_placeholder":true,"num":0}"#.len();

/// Returns how many bytes of attachments would be read more than once, if they may be more
/// than [`MAX_REPEATED`].
fn repeated(args: &Raw<'_>) -> usize {
    let attachments = args.attachments();
    let largest = attachments.iter().map(Vec::len).max().unwrap_or(0);
    let most_names = args.json().len() / SHORTEST_PLACEHOLDER;
    if most_names.saturating_mul(largest) <= MAX_REPEATED {
        // However often they are named, so that nobody has to count.
        return 0;
    }
    let mut seen = vec![false; attachments.len()];
    placeholders(args.json())
        .into_iter()
        .filter_map(|placeholder| placeholder.num)
        .filter(|num| {
            let seen = seen.get_mut(*num);
            seen.is_some_and(|seen| core::mem::replace(seen, true))
        })
        .filter_map(|num| attachments.get(num))
        .fold(0, |sum, bytes| sum.saturating_add(bytes.len()))
}

impl Drop for Reading {
    fn drop(&mut self) {
        ATTACHMENTS.with_borrow_mut(|readings| readings.pop());
    }
}

/// The arguments of an event as they came: not yet read, and to be sent on
/// unchanged.
///
/// ```no_run
/// use dormouse::{Args, Server, Socket};
///
/// let echo = Server::new().namespace("/", |namespace| {
///     namespace.on("message", async |socket: Socket, args: Args| {
///         socket.emit("message back", args).await
///     })
/// });
/// # let _ = echo;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    raw: Raw<'static>,
    /// The first item is the event's name.
    named: bool,
}

impl Args {
    pub(crate) fn new(raw: Raw<'static>, named: bool) -> Self {
        Self { raw, named }
    }

    /// Creates arguments from JSON, an array, and the attachments that placeholders in it
    /// stand for: `{"_placeholder":true,"num":0}` is the first. Whoever writes it sees to
    /// it that nothing else in there looks like one.
    ///
    /// ```
    /// use dormouse::Args;
    ///
    /// let args = Args::from_json("[1,[2]]".to_owned(), Vec::new()).unwrap();
    /// assert_eq!(args.json(), ["1", "[2]"]);
    /// assert!(Args::from_json("{}".to_owned(), Vec::new()).is_err());
    /// ```
    ///
    /// # Errors
    ///
    /// It is not a JSON array.
    pub fn from_json(json: String, attachments: Vec<Vec<u8>>) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<Vec<&RawValue>>(&json)?;
        Ok(Self::new(Raw::new(json, attachments), false))
    }

    /// Returns them as one JSON array: with the event's name before them, if they are
    /// those of an event that has come in. An attachment is represented by its
    /// placeholder.
    pub fn to_json(&self) -> &str {
        self.raw.json()
    }

    /// Returns the event's name, if it is with them.
    pub(crate) fn event(&self) -> Option<String> {
        let (name,) = FromArgs::from_args(&self.raw, false).ok()?;
        self.named.then_some(name)
    }

    /// Reads the arguments as a tuple: see [`FromArgs`].
    ///
    /// # Errors
    ///
    /// An argument is missing, or is something else.
    pub fn parse<T: FromArgs>(&self) -> Result<T, ArgsError> {
        T::from_args(&self.raw, self.named)
    }

    /// Returns all arguments but the first `count`. The attachments stay, with their
    /// numbers.
    ///
    /// ```no_run
    /// # async fn example(socket: dormouse::Socket, args: dormouse::Args) -> Result<(), dormouse::HandlerError> {
    /// // An event whose first argument says for whom the others are.
    /// let (room,): (String,) = args.parse()?;
    /// socket.to(room).emit("forwarded", args.skip(1)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn skip(&self, count: usize) -> Self {
        let items = self.json();
        self.with_items(items.get(count..).unwrap_or_default())
    }

    /// Returns the arguments behind another one.
    ///
    /// # Errors
    ///
    /// The argument cannot be written as JSON.
    pub fn behind(&self, first: &impl Serialize) -> Result<Self, serde_json::Error> {
        let first = self.encode_another(first)?;
        let mut items = self.json();
        items.insert(0, &first);
        Ok(self.with_items(&items))
    }

    /// Returns the arguments before another one.
    ///
    /// ```no_run
    /// # async fn example(socket: dormouse::Socket, args: dormouse::Args) -> Result<(), dormouse::HandlerError> {
    /// // Others learn who has said it.
    /// socket.broadcast().emit("said", args.before(&socket.id())?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The argument cannot be written as JSON.
    pub fn before(&self, last: &impl Serialize) -> Result<Self, serde_json::Error> {
        let last = self.encode_another(last)?;
        let mut items = self.json();
        items.push(&last);
        Ok(self.with_items(&items))
    }

    /// Encodes an argument that is to be beside these.
    fn encode_another(&self, argument: &impl Serialize) -> Result<String, serde_json::Error> {
        let json = serde_json::to_string(argument)?;
        // None of the attachments is within it, whatever it looks like.
        Ok(match self.attachments().is_empty() {
            true => json,
            false => disarm(&json, &[]).into_owned(),
        })
    }

    fn with_items(&self, items: &[&str]) -> Self {
        let json = format!("[{}]", items.join(","));
        Self {
            raw: Raw::new(json, self.raw.attachments().to_vec()),
            named: false,
        }
    }

    /// Returns the number of arguments.
    pub fn len(&self) -> usize {
        self.items().len()
    }

    /// Returns whether there are no arguments.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns each argument as JSON. An attachment is represented by its
    /// placeholder.
    pub fn json(&self) -> Vec<&str> {
        self.items().into_iter().map(RawValue::get).collect()
    }

    /// Returns the attachments, in the order of the numbers in their placeholders.
    pub fn attachments(&self) -> &[Vec<u8>] {
        self.raw.attachments()
    }

    fn items(&self) -> Vec<&RawValue> {
        let items: Vec<&RawValue> = serde_json::from_str(self.raw.json()).unwrap_or_default();
        items.into_iter().skip(usize::from(self.named)).collect()
    }
}

/// A value that can be sent as the arguments of an event: anything that serde can
/// write, and [`Args`] as they came.
///
/// A tuple or an array is several arguments, `()` is none, and everything else is
/// one. So to send a list as a single argument, use a `Vec` or a slice, or an array
/// in a tuple: `([1, 2],)`.
///
/// ```no_run
/// # async fn example(socket: dormouse::Socket) -> Result<(), dormouse::EmitError> {
/// socket.emit("point", (1, 2)).await?; // on("point", (x, y) => …)
/// socket.emit("list", vec![1, 2]).await?; // on("list", ([x, y]) => …)
/// socket.emit("list", ([1, 2],)).await?; // the same
/// socket.emit("now", ()).await // on("now", () => …)
/// # }
/// ```
pub trait Arguments {
    /// Encodes the value as a JSON array, with the event's name first, and its
    /// attachments.
    #[doc(hidden)]
    fn encode(&self, name: Option<&str>) -> Result<Raw<'static>, EmitError>;
}

impl<T: Serialize + ?Sized> Arguments for T {
    fn encode(&self, name: Option<&str>) -> Result<Raw<'static>, EmitError> {
        encode::arguments(self, name)
    }
}

impl Arguments for Args {
    fn encode(&self, name: Option<&str>) -> Result<Raw<'static>, EmitError> {
        if self.attachments().is_empty() && !self.named {
            return encode::array(name, self.raw.json());
        }
        encode::raw(name, &self.json(), self.attachments())
    }
}

impl Arguments for &Args {
    fn encode(&self, name: Option<&str>) -> Result<Raw<'static>, EmitError> {
        Args::encode(self, name)
    }
}

/// A type that the arguments of an event can be read as: a tuple of up to eight.
///
/// A missing argument is read as `null`, which is fine for an `Option`; additional
/// arguments are ignored.
///
/// ```no_run
/// # fn example(args: dormouse::Args) -> Result<(), dormouse::ArgsError> {
/// let (room, text, urgent): (String, String, Option<bool>) = args.parse()?;
/// # Ok(())
/// # }
/// ```
///
/// Half of a surrogate pair, as in an emoji that JavaScript has cut in two, is read as
/// U+FFFD, and `7.0` or `7e0` as an integer where the type wants one. An [`Args`] or a
/// `RawValue` has both as they came.
///
/// JSON that is nested deeper than 128 levels is an error where it is read. So is an
/// event that names the same attachments again, beyond 1 MiB of repeated bytes.
pub trait FromArgs: Sized {
    /// Reads the arguments. If `named`, the first item is the event's name.
    #[doc(hidden)]
    fn from_args(args: &Raw<'_>, named: bool) -> Result<Self, ArgsError>;
}

impl FromArgs for Args {
    fn from_args(args: &Raw<'_>, named: bool) -> Result<Self, ArgsError> {
        Ok(Self::new(args.clone().into_owned(), named))
    }
}

impl FromArgs for () {
    fn from_args(_args: &Raw<'_>, _named: bool) -> Result<Self, ArgsError> {
        Ok(())
    }
}

/// An argument of an event is not what it should be: which one, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgsError {
    /// The first is 1; `None` if it is all of them together.
    place: Option<usize>,
    message: String,
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(place) => write!(f, "argument {place}: {}", self.message),
            None => write!(f, "arguments: {}", self.message),
        }
    }
}

impl core::error::Error for ArgsError {}

/// Reads a tuple's items one after the other.
struct Items<'a, A> {
    items: A,
    place: &'a mut usize,
}

impl<'de, A: SeqAccess<'de>> Items<'_, A> {
    fn next<T: DeserializeOwned>(&mut self) -> Result<T, A::Error> {
        *self.place += 1;
        match self.items.next_element()? {
            Some(value) => Ok(value),
            // An `Option` accepts a missing value.
            None => {
                let nothing: de::value::UnitDeserializer<A::Error> = ().into_deserializer();
                T::deserialize(nothing).map_err(|_| de::Error::custom("missing"))
            }
        }
    }
}

macro_rules! tuple_from_args {
    ($($item:ident)+) => {
        impl<$($item: DeserializeOwned),+> FromArgs for ($($item,)+) {
            fn from_args(args: &Raw<'_>, named: bool) -> Result<Self, ArgsError> {
                struct Tuple<'p, $($item),+> {
                    named: bool,
                    place: &'p mut usize,
                    items: core::marker::PhantomData<($($item,)+)>,
                }

                impl<'de, $($item: DeserializeOwned),+> Visitor<'de> for Tuple<'_, $($item),+> {
                    type Value = ($($item,)+);

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("arguments")
                    }

                    fn visit_seq<Access: SeqAccess<'de>>(
                        self,
                        mut items: Access,
                    ) -> Result<Self::Value, Access::Error> {
                        if self.named {
                            items.next_element::<IgnoredAny>()?;
                        }
                        let mut items = Items { items, place: self.place };
                        let tuple = ($(items.next::<$item>()?,)+);
                        while items.items.next_element::<IgnoredAny>()?.is_some() {}
                        Ok(tuple)
                    }
                }

                let _reading = Reading::new(args)?;
                let mut place = 0;
                let tuple = read_json(args.json(), |json| {
                    place = 0;
                    let mut deserializer = serde_json::Deserializer::from_str(json);
                    deserializer.deserialize_seq(Tuple {
                        named,
                        place: &mut place,
                        items: core::marker::PhantomData,
                    })
                });
                tuple.map_err(|error| ArgsError {
                    place: Some(place),
                    message: describe(&error),
                })
            }
        }
    };
}

tuple_from_args!(A);
tuple_from_args!(A B);
tuple_from_args!(A B C);
tuple_from_args!(A B C D);
tuple_from_args!(A B C D E);
tuple_from_args!(A B C D E F);
tuple_from_args!(A B C D E F G);
tuple_from_args!(A B C D E F G H);

/// Reads JSON that may be a client's: see [`read_json`].
pub(super) fn from_json<T: DeserializeOwned>(json: &str) -> serde_json::Result<T> {
    read_json(json, |json| serde_json::from_str(json))
}

/// Returns an error's text without its position, of which the client knows nothing.
pub(crate) fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests;
