//! Requests and replies as bytes, between the parts of the Worker.

use dormouse_proto::versioned;
use serde::{Deserialize, Serialize};

use super::{PortError, Reply, Request};

/// The layout of the bytes below. Another number is another layout: while a new
/// version is rolled out, objects of both may meet.
const VERSION: u8 = 5;

/// Encodes a request for another object. One that is to be carried out once only is known
/// by `once`.
pub(crate) fn encode_request(
    request: &Request<'_>,
    once: Option<&str>,
) -> Result<Vec<u8>, PortError> {
    // As `versioned` does, save that what is asked of a spot cannot be written.
    postcard::to_allocvec(&(VERSION, (once, request))).map_err(|_| PortError::Answer)
}

/// Decodes a request that another part of the Worker sent, and what it is known by.
pub(crate) fn decode_request(bytes: &[u8]) -> Option<(Option<String>, Request<'static>)> {
    versioned::decode(VERSION, bytes).ok()
}

/// The answer of an object that could not do what was asked.
#[derive(Debug, Serialize, Deserialize)]
enum Failure {
    Gone,
    TooManyRooms,
    /// For another reason.
    Other,
    /// It failed before it could.
    Lost,
    TooManyAlarms,
    Repeated,
    Overloaded,
    Unsent,
    Unanswered,
}

/// Encodes an answer to another part of the Worker.
pub(crate) fn encode_reply(reply: Result<Reply, PortError>) -> Vec<u8> {
    let reply = reply.map_err(|error| match error {
        PortError::Gone => Failure::Gone,
        PortError::TooManyRooms => Failure::TooManyRooms,
        PortError::Lost => Failure::Lost,
        PortError::TooManyAlarms => Failure::TooManyAlarms,
        PortError::Repeated => Failure::Repeated,
        PortError::Overloaded => Failure::Overloaded,
        PortError::Unsent => Failure::Unsent,
        PortError::Unanswered => Failure::Unanswered,
        PortError::Placement | PortError::Platform(_) | PortError::Answer => Failure::Other,
    });
    versioned::encode(VERSION, &reply)
}

/// Decodes another object's answer.
pub(crate) fn decode_reply(bytes: &[u8]) -> Result<Reply, PortError> {
    let reply: Result<Reply, Failure> =
        versioned::decode(VERSION, bytes).map_err(|_| PortError::Answer)?;
    reply.map_err(|failure| match failure {
        Failure::Gone => PortError::Gone,
        Failure::TooManyRooms => PortError::TooManyRooms,
        Failure::TooManyAlarms => PortError::TooManyAlarms,
        Failure::Repeated => PortError::Repeated,
        Failure::Overloaded => PortError::Overloaded,
        Failure::Unsent => PortError::Unsent,
        Failure::Unanswered => PortError::Unanswered,
        Failure::Other => PortError::Answer,
        Failure::Lost => PortError::Lost,
    })
}

#[cfg(test)]
mod tests {
    use dormouse_proto::Timestamp;
    use dormouse_proto::engine::{Data, Transport};
    use dormouse_proto::socket::{Args, JoinId};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::port::{AlarmChange, Look, Operation, Selection, Spot, Target, Update};

    #[wasm_bindgen_test(unsupported = test)]
    fn requests_and_replies_arrive_as_they_were_sent() {
        for request in [
            Request::CloseAll,
            Request::UserSession([1; 12]),
            Request::SetUserSession([1; 12], Update::new("[1]".to_owned())),
            Request::Alarm("close".to_owned(), AlarmChange::Cancel),
            Request::Alarm(
                "close".to_owned(),
                AlarmChange::Set {
                    due: Timestamp::from_millis(7),
                    keeps: true,
                },
            ),
            Request::Operate(
                Target::Sockets(Selection::default()),
                Operation::SetData(Update {
                    json: "{}".into(),
                    expected: Some(None),
                }),
            ),
            Request::Send([1; 12], Data::from("é")),
            Request::Send([1; 12], Data::from(vec![0, 255])),
            Request::Operate(
                Target::Children(Selection::default()),
                Operation::Emit {
                    args: Args::new("[\"e\",1]", vec![vec![1]]),
                    volatile: true,
                },
            ),
        ] {
            for once in [None, Some("7.ab.0")] {
                let bytes = encode_request(&request, once).unwrap();
                let (known_by, read) = decode_request(&bytes).unwrap();
                assert_eq!(known_by.as_deref(), once);
                assert_eq!(format!("{read:?}"), format!("{request:?}"));
            }
        }
        let reply = decode_reply(&encode_reply(Ok(Reply::Transport(Transport::WebSocket))));
        assert!(matches!(reply, Ok(Reply::Transport(Transport::WebSocket))));
        let reply = decode_reply(&encode_reply(Ok(Reply::Json(Some("1".to_owned())))));
        assert!(matches!(reply, Ok(Reply::Json(Some(json))) if json == "1"));
        let reply = decode_reply(&encode_reply(Err(PortError::Gone)));
        assert!(matches!(reply, Err(PortError::Gone)));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_spot_does_not_leave_its_object() {
        let spot = Spot {
            session: [7; 12],
            join: JoinId(3),
        };
        let look = Request::Look(spot, Look::Rooms);
        assert!(matches!(
            encode_request(&look, None),
            Err(PortError::Answer)
        ));
        let leave = Request::Operate(Target::Socket(spot), Operation::Leave(Vec::new()));
        assert!(matches!(
            encode_request(&leave, None),
            Err(PortError::Answer)
        ));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_another_build_says_is_not_misread() {
        let mut bytes = encode_reply(Ok(Reply::Done));
        bytes[0] += 1;
        assert!(matches!(decode_reply(&bytes), Err(PortError::Answer)));
        assert!(matches!(decode_reply(&[]), Err(PortError::Answer)));
        assert!(decode_request(b"\x05\xff\xff").is_none());
    }
}
