//! What a connection has to put out, and what that is on the wire.

use std::rc::Rc;

use dormouse_proto::engine::Data;
use dormouse_proto::socket::{
    Args, ConnectRequest, Encoded, JoinId, Output, Parser, Protocol, Reason, Violation,
};

/// An output.
#[derive(Clone, Debug)]
pub(super) enum Told {
    Connect(ConnectRequest<'static>),
    Present(JoinId),
    Said(Said),
    /// This packet, and no other that says the same.
    Held(Rc<Encoded>),
    Refused(JoinId),
    Abandoned(JoinId),
    Disconnected(JoinId, Reason),
    Violation(Violation),
    Close,
}

/// What a client is told.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Missed {
        namespace: String,
        args: Args<'static>,
        offset: String,
    },
    Connect {
        namespace: String,
        sid: String,
        pid: Option<String>,
    },
    Refusal {
        namespace: String,
        message: String,
        data: Option<String>,
    },
    Disconnect(String),
}

/// Looks whether an output is the one that has to come. What a packet says in
/// msgpack is what the target of that name is for.
pub(super) fn check(output: &Output, told: &Told, parser: Parser, protocol: Protocol) {
    match (output, told) {
        (Output::Connect(request), Told::Connect(same)) => assert_eq!(request, same),
        (Output::Present(join), Told::Present(same))
        | (Output::Abandoned(join), Told::Abandoned(same)) => assert_eq!(join, same),
        (Output::Send(packet), Told::Held(same)) => assert!(Rc::ptr_eq(packet, same)),
        (Output::Send(packet), Told::Said(said)) => {
            if parser == Parser::JSON {
                let [message] = *packet.messages().collect::<Vec<_>>() else {
                    panic!("{packet:?} has no attachments");
                };
                assert_eq!(message.data(), Data::from(said.to_text(protocol)));
            }
        }
        (Output::Refused(socket), Told::Refused(join)) => assert_eq!(socket.join_id(), *join),
        (Output::Disconnected(join, reason), Told::Disconnected(same, why)) => {
            assert_eq!((join, reason), (same, why));
        }
        (Output::Violation(violation), Told::Violation(same)) => assert_eq!(violation, same),
        (Output::Close, Told::Close) => {}
        (output, told) => panic!("{output:?} and not {told:?}"),
    }
}

impl Said {
    fn to_text(&self, protocol: Protocol) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("a string");
        let with = |name: &str, json: Option<String>| {
            json.map_or(String::new(), |json| format!(",\"{name}\":{json}"))
        };
        let (kind, namespace, payload) = match (self, protocol) {
            (
                Self::Missed {
                    namespace,
                    args,
                    offset,
                },
                _,
            ) => {
                let json = args.json();
                let payload = match protocol {
                    Protocol::V4 => json.to_owned(),
                    Protocol::V5 => {
                        let items = json.strip_suffix(']').expect("an array");
                        format!("{items},\"{}\"]", offset)
                    }
                };
                ('2', namespace, payload)
            }
            (Self::Connect { namespace, .. }, Protocol::V4) => ('0', namespace, String::new()),
            (
                Self::Connect {
                    namespace,
                    sid,
                    pid,
                },
                Protocol::V5,
            ) => {
                let pid = with("pid", pid.as_deref().map(quoted));
                ('0', namespace, format!("{{\"sid\":{}{pid}}}", quoted(sid)))
            }
            (
                Self::Refusal {
                    namespace,
                    message,
                    data,
                },
                Protocol::V4,
            ) => {
                let payload = data.clone().unwrap_or_else(|| quoted(message));
                ('4', namespace, payload)
            }
            (
                Self::Refusal {
                    namespace,
                    message,
                    data,
                },
                Protocol::V5,
            ) => {
                let data = with("data", data.clone());
                let payload = format!("{{\"message\":{}{data}}}", quoted(message));
                ('4', namespace, payload)
            }
            (Self::Disconnect(namespace), _) => ('1', namespace, String::new()),
        };
        match &**namespace {
            "/" => format!("{kind}{payload}"),
            namespace => format!("{kind}{namespace},{payload}"),
        }
    }
}
