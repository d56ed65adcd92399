//! Messages one after another: packets whose attachments follow them, or do not.

use dormouse_proto::engine::Data;
use dormouse_proto::socket::{ClientPacket, Decoder, Limits, ParseError, Parser, Protocol};

use super::bytes::{Bytes, text};
use super::trace;

/// What has come of a packet, by the book.
#[derive(Default)]
struct Model {
    text: String,
    attachments: Vec<Vec<u8>>,
    missing: usize,
}

impl Model {
    fn bytes(&self) -> usize {
        self.text.len() + self.attachments.iter().map(Vec::len).sum::<usize>()
    }
}

pub(super) fn run(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let flags = bytes.byte();
    let protocol = [Protocol::V4, Protocol::V5][usize::from(flags & 1)];
    let limits = Limits {
        attachments: usize::from(flags >> 1 & 3),
        bytes: [40, 100, 1_000, usize::MAX][usize::from(flags >> 3 & 3)],
    };
    let mut decoder = Decoder::default();
    let mut model = Model::default();
    while !bytes.is_empty() {
        let data = match bytes.flag() {
            true => Data::from(bytes.piece()),
            false => Data::Text(text(bytes.piece())),
        };
        // It sleeps before every message, and nobody can tell.
        let mut asleep = sleep(&decoder);
        let lent = decoder.decode(protocol, Parser::JSON, limits, data.borrowed());
        let lent = lent.map(|packet| packet.map(ClientPacket::into_owned));
        let slept = asleep.decode(protocol, Parser::JSON, limits, data.clone().into_owned());
        trace(&(&data, &lent));
        assert_eq!(lent, slept, "sleep changes nothing");
        check(protocol, limits, &mut model, &data, lent);
        assert_eq!(decoder.is_pending(), model.missing > 0);
        assert!(
            model.bytes() <= limits.bytes,
            "nothing is kept past the limit"
        );
        assert!(model.attachments.len() + model.missing <= limits.attachments);
    }
}

fn sleep(decoder: &Decoder) -> Decoder {
    let bytes = postcard::to_allocvec(decoder).expect("a snapshot");
    postcard::from_bytes(&bytes).expect("the same")
}

fn check(
    protocol: Protocol,
    limits: Limits,
    model: &mut Model,
    data: &Data<'_>,
    result: Result<Option<ClientPacket<'_>>, ParseError>,
) {
    if data.len() > limits.bytes {
        // Nobody listens any more; what was pending may stay so.
        assert_eq!(result, Err(ParseError::TooLarge));
        return;
    }
    match data {
        Data::Text(_) if model.missing > 0 => {
            *model = Model::default();
            assert_eq!(result, Err(ParseError::UnexpectedText));
        }
        Data::Text(text) => check_text(protocol, limits, model, text, result),
        Data::Binary(_) if model.missing == 0 => {
            assert_eq!(result, Err(ParseError::UnexpectedBinary));
        }
        Data::Binary(bytes) if model.bytes() + bytes.len() > limits.bytes => {
            *model = Model::default();
            assert_eq!(result, Err(ParseError::TooLarge));
        }
        Data::Binary(bytes) => {
            model.attachments.push(bytes.to_vec());
            model.missing -= 1;
            if model.missing > 0 {
                assert_eq!(result, Ok(None));
                return;
            }
            check_whole(std::mem::take(model), result);
        }
    }
}

fn check_text(
    protocol: Protocol,
    limits: Limits,
    model: &mut Model,
    text: &str,
    result: Result<Option<ClientPacket<'_>>, ParseError>,
) {
    // By itself it is what it is here.
    let alone = Decoder::default().decode(protocol, Parser::JSON, limits, Data::from(text));
    assert_eq!(result, alone);
    let announced = text.get(1..).and_then(|rest| rest.split_once('-'));
    let count = announced
        .and_then(|(count, _)| count.parse().ok())
        .unwrap_or(0);
    match result {
        Ok(None) if text.starts_with(['2', '3']) => check_mute(text),
        Ok(None) => {
            assert!(text.starts_with(['5', '6']) && (1..=limits.attachments).contains(&count));
            model.text = text.to_owned();
            model.missing = count;
        }
        Ok(Some(ClientPacket::Event { args, .. } | ClientPacket::Ack { args, .. })) => {
            assert!(args.attachments().is_empty());
        }
        Ok(Some(_)) | Err(_) => {}
    }
}

fn check_whole(model: Model, result: Result<Option<ClientPacket<'_>>, ParseError>) {
    let packet = match result {
        Ok(Some(packet)) => packet,
        Ok(None) => return check_mute(&model.text),
        Err(error) => return assert_eq!(error, ParseError::Placeholder),
    };
    let is_event = matches!(packet, ClientPacket::Event { .. });
    assert_eq!(is_event, model.text.starts_with('5'), "{packet:?}");
    let (ClientPacket::Event { args, .. } | ClientPacket::Ack { args, .. }) = packet else {
        panic!("{packet:?} has no attachments");
    };
    assert!(model.text.ends_with(args.json()) || (!is_event && args.json() == "[]"));
    assert_eq!(
        args.attachments(),
        model.attachments,
        "all of them, in order"
    );
}

/// There is nothing to hear: an event without a name, or an acknowledgement without a
/// number that a server could have sent.
fn check_mute(text: &str) {
    let (kind, rest) = text.split_at(1);
    let rest = match kind {
        "5" | "6" => text.split_once('-').expect("the number of attachments").1,
        _ => rest,
    };
    let rest = match (rest.starts_with('/'), rest.split_once(',')) {
        (true, Some((_, rest))) => rest,
        (true, None) => "",
        (false, _) => rest,
    };
    let payload = rest.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let id = rest.strip_suffix(payload).unwrap_or_default().parse();
    match kind {
        "2" | "5" => assert_eq!(payload, "", "{text:?}"),
        _ => assert!(id.map_or(true, |id: u64| id > 1 << 53), "{text:?}"),
    }
}
