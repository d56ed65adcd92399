//! A client's request for a namespace that is not defined by its name, and asking the
//! application about it.

use core::fmt;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use worker::Env;

use super::args::from_json;
use super::handler::OnJoinRequest;
use super::{Call, HandlerFn, JoinContext, States};
use crate::api::error::HandlerError;
use crate::request::{Handshake, StoredHandshake};

/// A client's request for a namespace: see
/// [`Server::namespace_if`](crate::Server::namespace_if).
#[derive(Clone)]
pub struct JoinRequest(Rc<Parts>);

struct Parts {
    namespace: String,
    /// As JSON.
    auth: String,
    handshake: Rc<StoredHandshake>,
}

impl JoinRequest {
    pub(crate) fn new(namespace: String, auth: String, handshake: Rc<StoredHandshake>) -> Self {
        Self(Rc::new(Parts {
            namespace,
            auth,
            handshake,
        }))
    }

    /// Returns the client's `auth` as JSON.
    pub(crate) fn json(&self) -> &str {
        &self.0.auth
    }

    pub(crate) fn stored(&self) -> &Rc<StoredHandshake> {
        &self.0.handshake
    }

    /// Returns the namespace's name.
    pub fn namespace(&self) -> &str {
        &self.0.namespace
    }

    /// Returns the client's `auth`, or `None` if it cannot be read as a `T`.
    pub fn auth<T: DeserializeOwned>(&self) -> Option<T> {
        from_json(self.json()).ok()
    }

    /// Returns the request by which the client's session began.
    pub fn handshake(&self) -> Handshake {
        Handshake::from(&**self.stored()).with_auth(Some(self.json().to_owned()))
    }
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest")
            .field("namespace", &self.0.namespace)
            .finish_non_exhaustive()
    }
}

/// Asks a predicate.
pub(super) async fn call(
    predicate: &HandlerFn<OnJoinRequest>,
    request: &JoinRequest,
    env: &Env,
    states: &States,
) -> Result<bool, HandlerError> {
    match predicate(&mut JoinContext::new(request, env, states))? {
        Call::Done(answer) => answer,
        Call::Later(answer) => answer.await,
    }
}
