//! The handlers that ask the back end, and what becomes of its answers.

use std::rc::Rc;

use dormouse_proto::socket::Reason;
use serde_json::value::RawValue;

use super::actions::{carry_out, check, unless_gone};
use super::answer::{Action, Answer, Refused};
use super::body::data_of;
use super::delivery::{Call, Decision, Here};
use super::failure::Failure;
use super::lane::Caller;
use super::{Hook, Webhook};
use crate::api::client::SessionError as DataError;
use crate::api::error::{HandlerError, Refusal};
use crate::api::{
    Ack, Args, Auth, EmitError, EventName, Expired, Io, Namespace, Recovered, Socket,
};
use crate::request::{Handshake, MAX_KEPT, MAX_KEPT_URL};

/// What every body has, about.
const FRAME: usize = 512;

/// The message for a client that a back end refuses without one.
const REFUSED: &str = "rejected";

/// Registers the handlers for what the back end is called for.
pub(super) fn register(webhook: Rc<Webhook>, mut namespace: Namespace) -> Namespace {
    if webhook.hears(Hook::Connect) {
        let me = webhook.clone();
        namespace = namespace.on_connect(
            async move |here: Here,
                        socket: Socket,
                        auth: Auth<Box<RawValue>>,
                        handshake: Handshake,
                        recovered: Recovered| {
                // What the client says of itself is there beside it.
                let handshake = handshake.with_auth(None);
                me.connect(&here, &socket, &auth.0, &handshake, recovered.0)
                    .await
            },
        );
    }
    if webhook.hears(Hook::Event) {
        namespace = register_events(&webhook, namespace);
    }
    if webhook.hears(Hook::Disconnect) {
        let me = webhook.clone();
        namespace =
            namespace.on_disconnect(async move |here: Here, socket: Socket, reason: Reason| {
                me.disconnect(&here, &socket, reason).await;
            });
    }
    if webhook.hears(Hook::Expired) {
        let me = webhook;
        namespace = namespace.on_expired(async move |here: Here, io: Io, expired: Expired| {
            me.expired(&here, &io, &expired).await;
        });
    }
    namespace
}

fn register_events(webhook: &Rc<Webhook>, mut namespace: Namespace) -> Namespace {
    let handler = || {
        let me = webhook.clone();
        async move |here: Here, socket: Socket, event: EventName, args: Args, ack: Ack| {
            me.event(&here, &socket, &event, &args, ack).await
        }
    };
    match &webhook.events {
        None => namespace.on_fallback(handler()),
        Some(names) => {
            for name in names {
                namespace = namespace.on(name, handler());
            }
            namespace
        }
    }
}

impl Webhook {
    async fn connect(
        &self,
        here: &Here,
        socket: &Socket,
        auth: &RawValue,
        handshake: &Handshake,
        recovered: bool,
    ) -> Result<(), Refusal> {
        let call = Call {
            hook: Hook::Connect,
            namespace: socket.namespace(),
            caller: Some(Caller::new(socket, handshake)),
            bytes: FRAME + MAX_KEPT + MAX_KEPT_URL + auth.get().len() + data_len(socket),
            write: &|body| {
                body.socket(socket);
                body.raw("auth", auth.get());
                body.handshake(handshake);
                body.flag("recovered", recovered);
            },
        };
        let refuse = |failure: &Failure| Refusal::new(failure.message());
        match here.call(self, call).await {
            Ok(Decision::Done(answer)) => {
                let applied = apply(here, Hook::Connect, socket, answer).await;
                applied.map(drop).map_err(|failure| refuse(&failure))
            }
            Ok(Decision::Refused(_, Refused { message, data })) => {
                let refusal = Refusal::new(message.as_deref().unwrap_or(REFUSED));
                Err(match data {
                    Some(data) => refusal.data(&data),
                    None => refusal,
                })
            }
            Err(failure) => Err(refuse(&failure)),
        }
    }

    async fn event(
        &self,
        here: &Here,
        socket: &Socket,
        event: &str,
        args: &Args,
        ack: Ack,
    ) -> Result<(), HandlerError> {
        let bytes: usize = args.attachments().iter().map(Vec::len).sum();
        let json: usize = args.json().into_iter().map(str::len).sum();
        let call = Call {
            hook: Hook::Event,
            namespace: socket.namespace(),
            caller: caller_of(socket),
            // Attachments are written in base64.
            bytes: FRAME + json + bytes / 3 * 4 + data_len(socket),
            write: &|body| {
                body.socket(socket);
                body.text("event", event);
                body.args(args);
                body.flag("ack", ack.is_expected());
            },
        };
        let fail = |failure: &Failure| HandlerError::new(failure.message());
        match here.call(self, call).await {
            Ok(Decision::Done(answer)) => {
                let applied = apply(here, Hook::Event, socket, answer).await;
                let values = applied.map_err(|failure| fail(&failure))?;
                let sent = match values {
                    Some(values) => ack.send(values).await,
                    None => ack.send(()).await,
                };
                Ok(unless_gone(sent)?)
            }
            Ok(Decision::Refused(_, Refused { message, data })) => {
                let error = HandlerError::new(message.as_deref().unwrap_or(REFUSED));
                Err(match data {
                    Some(data) => error.data(&data),
                    None => error,
                })
            }
            Err(failure) => Err(fail(&failure)),
        }
    }

    async fn disconnect(&self, here: &Here, socket: &Socket, reason: Reason) {
        let call = Call {
            hook: Hook::Disconnect,
            namespace: socket.namespace(),
            caller: caller_of(socket),
            bytes: FRAME + data_len(socket),
            write: &|body| {
                body.socket(socket);
                body.text("reason", reason.as_str());
            },
        };
        if let Ok(Decision::Done(answer)) = here.call(self, call).await {
            act(here, Hook::Disconnect, answer.actions, &socket.io(), None)
                .await
                // It is logged, and there is nobody to tell.
                .ok();
        }
    }

    async fn expired(&self, here: &Here, io: &Io, expired: &Expired) {
        let call = Call {
            hook: Hook::Expired,
            namespace: expired.namespace(),
            caller: None,
            bytes: FRAME,
            write: &|body| body.expired(expired),
        };
        if let Ok(Decision::Done(answer)) = here.call(self, call).await {
            // As above.
            act(here, Hook::Expired, answer.actions, io, None)
                .await
                .ok();
        }
    }
}

/// Does what a back end has answered about a socket that is there. Returns the
/// acknowledgement.
async fn apply(
    here: &Here,
    hook: Hook,
    socket: &Socket,
    answer: Answer,
) -> Result<Option<Args>, Failure> {
    let failed = |message: String| {
        let failure = Failure::Malformed(message);
        here.log_failure(hook, &failure);
        failure
    };
    check(&answer.actions, &socket.io()).map_err(&failed)?;
    if let Some(data) = answer.data {
        match socket.set_data(&data) {
            Ok(()) => {}
            // It may leave while the back end is asked about it.
            Err(DataError::Unknown) => return Ok(answer.ack),
            Err(error) => return Err(failed(format!("data: {error}"))),
        }
    }
    if !answer.rooms.is_empty() {
        let joined = unless_gone(socket.join(answer.rooms).await);
        joined.map_err(|error| failed(format!("rooms: {error}")))?;
    }
    act(here, hook, answer.actions, &socket.io(), Some(socket)).await?;
    Ok(answer.ack)
}

/// Carries out the actions of an answer.
async fn act(
    here: &Here,
    hook: Hook,
    actions: Vec<Action>,
    io: &Io,
    socket: Option<&Socket>,
) -> Result<(), Failure> {
    let done = match check(&actions, io) {
        Ok(()) => carry_out(actions, io, socket)
            .await
            .map_err(|error: EmitError| format!("actions: {error}")),
        Err(error) => Err(error),
    };
    done.map_err(|message| {
        let failure = Failure::Malformed(message);
        here.log_failure(hook, &failure);
        failure
    })
}

/// Returns the client that a call about a socket is made for, unless it has gone.
fn caller_of(socket: &Socket) -> Option<Caller> {
    let handshake = socket.handshake()?;
    Some(Caller::new(socket, &handshake))
}

fn data_len(socket: &Socket) -> usize {
    data_of(socket).map_or(0, |data| data.get().len())
}
