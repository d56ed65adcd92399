//! What other parts of the Worker ask of an object: to send to a session, to
//! close it, to tell of it.
//!
//! They ask by `fetch`, on paths that no client's request can have: the front
//! passes on only what is on the path of a server, and no server's path begins
//! with the prefix.

use dormouse_proto::engine::{Data, Transport};
use js_sys::{Promise, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Request, RequestInit, Response, ResponseInit};
use worker::worker_sys::DurableObject;

use super::{Operation, Shell, Target};
use crate::app::app;
use crate::http;
use crate::platform;
use crate::query;
use crate::sid::{Key, Sid};

/// What the paths begin with.
pub(super) const PREFIX: &str = "/!";

/// Something to be done with a session, or with all of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command<'a> {
    Send(&'a Sid, &'a Data<'a>),
    Close(&'a Sid),
    CloseAll,
    Transport(&'a Sid),
    /// An [`Operation`](super::Operation) on a target, as bytes.
    Operate(&'a [u8]),
    /// Nothing, but it makes a new instance look around.
    Wake,
}

impl Command<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Send(..) => "send",
            Self::Close(_) => "close",
            Self::CloseAll => "close-all",
            Self::Transport(_) => "transport",
            Self::Operate(_) => "operate",
            Self::Wake => "wake",
        }
    }

    fn sid(&self) -> Option<&Sid> {
        match self {
            Self::Send(sid, _) | Self::Close(sid) | Self::Transport(sid) => Some(sid),
            Self::CloseAll | Self::Operate(_) | Self::Wake => None,
        }
    }

    /// Asks it of an object, for the server on `path`.
    pub(crate) fn ask(&self, object: &DurableObject, path: &str) -> Result<Promise, JsValue> {
        let mut url = format!("http://dormouse{PREFIX}{}?path={path}", self.name());
        if let Some(sid) = self.sid() {
            url.push_str(&format!("&sid={sid}"));
        }
        let init = RequestInit::new();
        init.set_method("POST");
        if let Self::Send(_, data) = self {
            let body = match data {
                Data::Text(text) => JsValue::from_str(text),
                Data::Binary(bytes) => Uint8Array::from(&**bytes).into(),
            };
            init.set_body(&body);
        }
        if let Self::Operate(bytes) = self {
            init.set_body(&Uint8Array::from(*bytes));
        }
        object.fetch_with_request(&Request::new_with_str_and_init(&url, &init)?)
    }

    /// Asks it and waits for the answer; `None` if there is no such session.
    pub(crate) async fn ask_and_wait(
        &self,
        object: &DurableObject,
        path: &str,
    ) -> Result<Option<String>, JsValue> {
        let response = JsFuture::from(self.ask(object, path)?).await?;
        let response: Response = response.unchecked_into();
        let text = JsFuture::from(response.text()?).await?.as_string();
        match response.status() {
            200 => Ok(Some(text.unwrap_or_default())),
            404 => Ok(None),
            status => Err(JsValue::from_str(&format!("the object answered {status}"))),
        }
    }
}

impl Command<'_> {
    /// Asks it and waits for an answer in bytes.
    pub(crate) async fn ask_for_bytes(
        &self,
        object: &DurableObject,
        path: &str,
    ) -> Result<Vec<u8>, JsValue> {
        let response = JsFuture::from(self.ask(object, path)?).await?;
        let response: Response = response.unchecked_into();
        if response.status() != 200 {
            let status = response.status();
            return Err(JsValue::from_str(&format!("the object answered {status}")));
        }
        let bytes = JsFuture::from(response.array_buffer()?).await?;
        Ok(Uint8Array::new(&bytes).to_vec())
    }
}

impl Shell {
    /// Does what another part of the Worker asks.
    pub(super) fn command(&self, path: &str, query: &str, request: &Request) -> JsValue {
        let endpoint = query::parameter(query, "path");
        let app = app();
        let Some(endpoint) = endpoint.and_then(|path| app.endpoint_at(&path)) else {
            return unknown();
        };
        self.wake(endpoint);
        let key = query::parameter(query, "sid").and_then(|sid| Sid::parse(&sid));
        let key = key
            .map(|sid| sid.key())
            .filter(|key| self.holds(*key, endpoint));
        match (path.strip_prefix(PREFIX), key) {
            (Some("send"), Some(key)) => self.command_send(key, request),
            (Some("close"), Some(key)) => answer(self.close(key), ""),
            (Some("close-all"), _) => {
                self.close_all();
                answer(true, "")
            }
            (Some("transport"), Some(key)) => {
                let transport = self.transport(key);
                answer(transport.is_some(), transport.map_or("", Transport::as_str))
            }
            (Some("operate"), _) => {
                self.adopt(Some(endpoint));
                self.command_operate(request)
            }
            (Some("wake"), _) => answer(true, ""),
            (Some(_) | None, _) => unknown(),
        }
    }

    fn command_operate(&self, request: &Request) -> JsValue {
        let Some((shell, body)) = self.me.upgrade().zip(request.array_buffer().ok()) else {
            return unknown();
        };
        let operating = async move {
            let body = Uint8Array::new(&JsFuture::from(body).await?).to_vec();
            let asked: Result<(Target, Operation), _> = postcard::from_bytes(&body);
            let Ok((target, operation)) = asked else {
                return Ok(unknown());
            };
            let done = shell.operate(&target, operation).await;
            let bytes = postcard::to_allocvec(&done).unwrap_or_default();
            let response = Response::new_with_opt_buffer_source(Some(&Uint8Array::from(&*bytes)));
            Ok(response.map_or_else(|_| unknown(), Into::into))
        };
        platform::promise(Box::pin(operating))
    }

    fn command_send(&self, key: Key, request: &Request) -> JsValue {
        let is_text = http::header(request, "content-type").is_some();
        let body = if is_text {
            request.text()
        } else {
            request.array_buffer()
        };
        let Some((shell, body)) = self.me.upgrade().zip(body.ok()) else {
            return unknown();
        };
        let sending = async move {
            let body = JsFuture::from(body).await?;
            let sent = match body.as_string() {
                Some(text) => shell.send(key, Data::from(text)),
                None => shell.send(key, Data::from(Uint8Array::new(&body).to_vec())),
            };
            Ok(answer(sent, ""))
        };
        platform::promise(Box::pin(sending))
    }
}

/// There is no such session, or nothing of the kind.
pub(super) fn unknown() -> JsValue {
    answer(false, "")
}

fn answer(found: bool, text: &str) -> JsValue {
    let init = ResponseInit::new();
    init.set_status(if found { 200 } else { 404 });
    let response = Response::new_with_opt_str_and_init(Some(text), &init);
    response.unwrap_or_else(|_| Response::error()).into()
}
