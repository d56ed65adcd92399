//! The body of a request: JSON text, in which placeholders stand for attachments.
//!
//! In msgpack, bytes are bytes, and reading it makes them attachments of the whole body.
//! In JSON, each event brings its own, as base64 beside its arguments.

use dormouse_proto::Base64;
use dormouse_proto::socket::{Args, Placeholder, json_from_msgpack, placeholders};
use dormouse_proto::sort_by_key;
use serde_json::value::RawValue;

use super::answer::{Format, Refused};
use super::fields;
use super::{MAX_ATTACHMENTS, MAX_DEPTH};

/// A body that has been read.
pub(super) struct Body {
    pub(super) json: String,
    /// Those that its arguments name; each is taken by the event that names it.
    pub(super) attachments: Attachments,
}

/// The attachments that arguments may name.
pub(super) enum Attachments {
    /// Each event has its own.
    OfEach,
    /// Those of a body in msgpack.
    OfAll(Vec<Option<Vec<u8>>>),
}

impl Body {
    pub(super) fn read(format: Format, bytes: Vec<u8>) -> Result<Self, Refused> {
        match format {
            Format::Json => match String::from_utf8(bytes) {
                Ok(json) => Ok(Self {
                    json,
                    attachments: Attachments::OfEach,
                }),
                Err(_) => Err(malformed("the body is not UTF-8")),
            },
            Format::MsgPack => {
                let read = json_from_msgpack(&bytes, MAX_ATTACHMENTS);
                let (json, attachments) =
                    read.map_err(|error| malformed(format!("the body is not right: {error}")))?;
                Ok(Self {
                    json,
                    attachments: Attachments::OfAll(attachments.into_iter().map(Some).collect()),
                })
            }
        }
    }
}

pub(super) fn malformed(message: impl Into<String>) -> Refused {
    Refused::new(400, "malformed", message)
}

/// Reads the arguments in a field, a JSON array, with their attachments.
pub(super) fn arguments(
    (name, raw): (String, &RawValue),
    attachments: &mut [Option<Vec<u8>>],
) -> Result<Args<'static>, Refused> {
    let json = raw.get();
    if !json.starts_with('[') {
        return Err(Refused::field(name, "must be an array"));
    }
    if is_deeper_than(json, MAX_DEPTH) {
        let message = format!("must not be nested deeper than {MAX_DEPTH} levels");
        return Err(Refused::field(name, message));
    }
    let (json, attachments) = own(json, attachments).map_err(|it| Refused::field(name, it))?;
    Ok(Args::new(json, attachments))
}

/// Takes the attachments that a text names, and numbers them in the order of their
/// places. Where there are none, nothing in the text is a placeholder.
fn own(
    json: &str,
    attachments: &mut [Option<Vec<u8>>],
) -> Result<(String, Vec<Vec<u8>>), &'static str> {
    if attachments.is_empty() {
        return Ok((json.to_owned(), Vec::new()));
    }
    let mut all = placeholders(json);
    sort_by_key(&mut all, |it| it.range.start);
    let mut taken = Vec::new();
    for (index, placeholder) in all.iter_mut().enumerate() {
        let attachment = placeholder
            .num
            .and_then(|num| attachments.get_mut(num)?.take());
        taken.push(attachment.ok_or(
            "has a placeholder without an attachment of its own: each is named once, by its number",
        )?);
        placeholder.num = Some(index);
    }
    let (text, places) = renumber(json, all, |num| num);
    match places.len() == taken.len() {
        true => Ok((text, taken)),
        false => Err("has a placeholder within another"),
    }
}

/// Gives placeholders other numbers. Returns the new text, and where they are in it. Of
/// those within another nothing is left.
pub(super) fn renumber(
    json: &str,
    mut placeholders: Vec<Placeholder>,
    number: impl Fn(usize) -> usize,
) -> (String, Vec<usize>) {
    sort_by_key(&mut placeholders, |it| it.range.start);
    let mut text = String::with_capacity(json.len());
    let mut places = Vec::with_capacity(placeholders.len());
    let mut copied = 0;
    for Placeholder { range, num } in placeholders {
        // It is within the last one, which is gone.
        if range.start < copied {
            continue;
        }
        text.push_str(json.get(copied..range.start).unwrap_or_default());
        places.push(text.len());
        let num = number(num.unwrap_or_default());
        text.push_str(&format!("{{\"_placeholder\":true,\"num\":{num}}}"));
        copied = range.end;
    }
    text.push_str(json.get(copied..).unwrap_or_default());
    (text, places)
}

/// Reads attachments in base64.
pub(super) fn attachments(
    field: Option<(String, &RawValue)>,
) -> Result<Vec<Option<Vec<u8>>>, Refused> {
    let Some((name, raw)) = field else {
        return Ok(Vec::new());
    };
    let items = fields::items(&name, raw, MAX_ATTACHMENTS)?;
    let decoded = items.into_iter().map(|(name, raw)| {
        let text = fields::text(&name, raw)?;
        match Base64::Standard.decode(&text) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(Refused::field(name, "must be base64")),
        }
    });
    decoded.collect()
}

/// Returns whether a valid JSON text is nested deeper than this.
pub(super) fn is_deeper_than(json: &str, most: usize) -> bool {
    let (mut depth, mut is_string, mut is_escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        if is_string {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' => is_escaped = true,
                b'"' => is_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => is_string = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}
