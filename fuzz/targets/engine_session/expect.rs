//! What comes out of a session, told apart only as far as the protocol does.

use std::collections::BTreeMap;

use dormouse_proto::engine::{Answer, ConnId, Output, Reason, RequestError, Revision};

use crate::targets::wire::{Received, read_answer, read_frame};

/// How a request was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Packets(Vec<Received>),
    Received,
    TooLarge,
    Refused(RequestError),
}

/// All that is to come out of one step, or has. Who is told first does not
/// matter; what one and the same connection is told comes in its order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    pub(super) answers: BTreeMap<ConnId, Reply>,
    pub(super) frames: Vec<(ConnId, Received)>,
    pub(super) closed: Vec<(ConnId, u16)>,
    /// Of which `POST` the body is to be read now.
    pub(super) read: Option<ConnId>,
    pub(super) upgraded: bool,
    pub(super) over: Option<Reason>,
}

impl Outcome {
    pub(super) fn of(revision: Revision, b64: bool, outputs: Vec<Output>) -> Self {
        let mut outcome = Self::default();
        for output in outputs {
            match output {
                Output::Answer { request, answer } => {
                    let reply = match answer {
                        Answer::Payload(kind, body) => {
                            let is_binary = matches!(body, dormouse_proto::engine::Body::Binary(_));
                            assert!(!(b64 && is_binary), "this client takes no binary");
                            Reply::Packets(read_answer(revision, kind, &body))
                        }
                        Answer::Received => Reply::Received,
                        Answer::TooLarge => Reply::TooLarge,
                        Answer::Refused(refusal) => Reply::Refused(refusal),
                    };
                    let earlier = outcome.answers.insert(request, reply);
                    assert_eq!(earlier, None, "{request:?} is answered twice");
                }
                Output::ReadBody { request } => {
                    assert_eq!(outcome.read, None, "one body is read at a time");
                    outcome.read = Some(request);
                }
                Output::Send { socket, frame } => {
                    let closed = outcome.closed.iter().any(|(other, _)| *other == socket);
                    assert!(!closed, "{socket:?} was closed before");
                    outcome.frames.push((socket, read_frame(revision, &frame)));
                }
                Output::CloseSocket { socket, code } => outcome.closed.push((socket, code)),
                Output::Upgraded => {
                    assert!(!outcome.upgraded, "there is one upgrade");
                    outcome.upgraded = true;
                }
                Output::Closed(reason) => {
                    assert_eq!(outcome.over, None, "a session ends once");
                    outcome.over = Some(reason);
                }
            }
        }
        outcome
    }
}
