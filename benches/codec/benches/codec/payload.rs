//! Payloads of Engine.IO: what polling exchanges.

use criterion::Criterion;
use dormouse_codec_benches::inputs::{Content, Inputs, Text};
use dormouse_codec_benches::{ours, peer};
use dormouse_proto::engine::{Body, Format, Revision, encode_payload};
use engineioxide_core::ProtocolVersion;
use http::HeaderValue;

use super::pair;

/// A form that payloads have.
struct Form {
    name: &'static str,
    revision: Revision,
    protocol: ProtocolVersion,
    format: Format,
}

const V4: Form = Form {
    name: "v4",
    revision: Revision::V4,
    protocol: ProtocolVersion::V4,
    format: Format::Any,
};

const V3_TEXT: Form = Form {
    name: "v3",
    revision: Revision::V3,
    protocol: ProtocolVersion::V3,
    format: Format::Text,
};

const V3_BINARY: Form = Form {
    name: "v3 binary",
    revision: Revision::V3,
    protocol: ProtocolVersion::V3,
    format: Format::Any,
};

pub fn benches(criterion: &mut Criterion) {
    let inputs = Inputs::load();
    for &count in &inputs.payloads {
        for form in [V4, V3_TEXT] {
            let messages = inputs.messages(count, Text::Ascii, false);
            form.benches(criterion, &format!("text × {count}"), &messages);
        }
    }
    let most = inputs.payloads.iter().copied().max().unwrap_or(0);
    for form in [V4, V3_TEXT] {
        let messages = inputs.messages(most, Text::Unicode, false);
        form.benches(criterion, &format!("unicode × {most}"), &messages);
        let messages = inputs.messages(most, Text::Ascii, true);
        form.benches(criterion, &format!("text and base64 × {most}"), &messages);
    }
    let messages = inputs.messages(most, Text::Ascii, true);
    V3_BINARY.benches(criterion, &format!("× {most}"), &messages);
}

impl Form {
    fn benches(&self, criterion: &mut Criterion, what: &str, messages: &[Content]) {
        let (revision, protocol) = (self.revision, self.protocol);
        let packets = ours::packets(messages);
        let (kind, body) = encode_payload(revision, &packets, self.format);
        let kind = HeaderValue::from_static(kind.as_str());
        let shared = peer::shared_bytes(match &body {
            Body::Text(text) => text.as_bytes(),
            Body::Binary(bytes) => bytes,
        });
        let name = format!("payload {} {what}", self.name);
        pair(
            criterion,
            &format!("{name}: decode"),
            || ours::decode_body(revision, &body),
            || shared.clone(),
            |body| peer::decode_body(protocol, &kind, body),
        );
        let shared = peer::packets(protocol, messages);
        let supports_binary = self.format == Format::Any;
        pair(
            criterion,
            &format!("{name}: encode"),
            || ours::encode_body(revision, &packets, self.format),
            || shared.clone(),
            |packets| peer::encode_body(protocol, packets, supports_binary),
        );
    }
}
