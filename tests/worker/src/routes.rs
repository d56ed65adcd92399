//! The routes beside the servers: what another part of a Worker does with their
//! clients.

use core::time::Duration;

use dormouse::engine::{Clients, SendError};
use dormouse::{Broadcast, DataError, EmitError, Io};
use serde::Serialize;
use serde_json::{Value, json};
use worker::wasm_bindgen::JsCast as _;
use worker::{Context, Env, Request, Response, Url};

use crate::socket::{list, room_sizes};

pub(crate) async fn routes(
    mut request: Request,
    env: Env,
    _context: Context,
) -> worker::Result<Response> {
    let url = request.url()?;
    let path = url.path();
    if path.starts_with("/handled/") {
        return handled(&request, &env, &url).await;
    }
    if path == "/plain" {
        return Response::ok("plain");
    }
    if let Some(what) = path.strip_prefix("/io-route/") {
        let body = request.text().await?;
        return io_route(what, &url, &env, &body).await;
    }
    let Some(clients) = Clients::new(&env, &query(&url, "path")) else {
        return Response::error("Not Found", 404);
    };
    let sid = query(&url, "sid");
    let done = match path {
        "/send" => clients
            .send(&sid, request.text().await?)
            .await
            .map(|()| String::new()),
        "/disconnect" => clients.disconnect(&sid).await.map(|()| String::new()),
        "/transport" => clients
            .transport(&sid)
            .await
            .map(|it| it.as_str().to_owned()),
        "/session" => return session(&clients, &sid, &request.text().await?).await,
        _ => Err(SendError::Unknown),
    };
    match done {
        Ok(text) => Response::ok(text),
        Err(error) => Response::error(error.to_string(), 404),
    }
}

/// Serves a server's client from a `fetch` of the application's own.
async fn handled(request: &Request, env: &Env, url: &Url) -> worker::Result<Response> {
    let mut inner = url.clone();
    inner.set_path(url.path().trim_start_matches("/handled"));
    let inner: Request = worker::web_sys::Request::new_with_str_and_init(
        inner.as_str(),
        request.inner().unchecked_ref(),
    )?
    .into();
    // A copy, which shares the body.
    let how = query(url, "copy");
    let mut copy = match &*how {
        "" => None,
        _ => Some(inner.clone()?),
    };
    let mut bytes = None;
    if let Some(copy) = copy.as_mut().filter(|_| how == "read-first") {
        bytes = Some(copy.bytes().await?);
    }
    let Some(response) = dormouse::handle(&inner, env).await else {
        return Response::error("not ours", 404);
    };
    let mut response = response?;
    if let Some(copy) = copy.as_mut().filter(|_| how == "read") {
        bytes = Some(copy.bytes().await?);
    }
    let headers = response.headers_mut();
    headers.append("x-handled", "yes")?;
    headers.append("set-cookie", "a=1")?;
    if let Some(bytes) = bytes {
        headers.append("x-body", &bytes.len().to_string())?;
    }
    Ok(response)
}

/// Adds to the number that is kept of a client, if there is something to add.
async fn session(clients: &Clients, sid: &str, body: &str) -> worker::Result<Response> {
    let session = match body.parse::<u32>() {
        Ok(by) => {
            let add = |count: &mut u32| *count += by;
            clients.edit_session(sid, add).await.map(|()| None)
        }
        Err(_) if body == "reset" => clients.save_session(sid, &0).await.map(|()| None),
        Err(_) => clients.session::<Value>(sid).await,
    };
    match session {
        Ok(session) => Response::ok(json!(session).to_string()),
        Err(error) => Response::error(error.to_string(), 404),
    }
}

fn query(url: &Url, name: &str) -> String {
    queries(url, name).pop().unwrap_or_default()
}

fn queries(url: &Url, name: &str) -> Vec<String> {
    let named = url.query_pairs().filter(|(key, _)| key == name);
    named.map(|(_, value)| value.into_owned()).collect()
}

async fn io_route(what: &str, url: &Url, env: &Env, body: &str) -> worker::Result<Response> {
    let Some(io) = Io::new(env, &query(url, "path")) else {
        return Response::error("Not Found", 404);
    };
    let io = match query(url, "key") {
        key if key.is_empty() => io,
        key => io.key(&key),
    };
    let io = io.of(&query(url, "namespace"));
    if let Some(what) = what.strip_prefix("alarm/") {
        let name = query(url, "name");
        let after = Duration::from_millis(query(url, "after").parse().unwrap_or_default());
        let done = match what {
            "set" => io.set_alarm(&name, after).await,
            _ => io.cancel_alarm(&name).await,
        };
        return match done {
            Ok(()) => Response::ok("ok"),
            Err(error) => Response::error(error.to_string(), 500),
        };
    }
    if what == "server-emit" {
        let args = Items(serde_json::from_str(body)?);
        return match io.server_side_emit(&query(url, "event"), args).await {
            Ok(()) => Response::ok("ok"),
            Err(error) => Response::error(error.to_string(), 500),
        };
    }
    if what == "spawn" {
        let started = io.spawn("task", async |_io| {});
        return Response::ok(format!("{started:?}"));
    }
    if let Some(what) = what.strip_prefix("data/") {
        return match data(what, url, &io, body).await {
            Ok(value) => Response::ok(value.to_string()),
            Err(error) => Response::error(error.to_string(), 500),
        };
    }
    if what == "emit-children" {
        let args = Items(serde_json::from_str(body).unwrap_or_default());
        let parent = io.parent("/dynamic-{id}");
        let target = parent.to(queries(url, "to")).except(queries(url, "except"));
        return match target.emit(&query(url, "event"), args).await {
            Ok(()) => Response::ok("ok"),
            Err(error) => Response::error(error.to_string(), 500),
        };
    }
    let target = io.to(queries(url, "to")).except(queries(url, "except"));
    match operate(what, url, target, body).await {
        Ok(Some(answer)) => Response::ok(answer.to_string()),
        Ok(None) => Response::error("Not Found", 404),
        Err(error) => Response::error(error.to_string(), 500),
    }
}

/// What is kept of the socket with the id `to`.
async fn data(what: &str, url: &Url, io: &Io, body: &str) -> Result<Value, DataError> {
    let id = query(url, "to");
    let value: Value = serde_json::from_str(body).unwrap_or_default();
    Ok(match what {
        "set" => json!(io.set_data(&id, &value).await?),
        "count" => {
            let by = value.as_u64().unwrap_or_default();
            let add = |count: &mut u64| {
                *count += by;
                *count
            };
            json!(io.edit_data(&id, add).await?)
        }
        _ => json!(io.data::<Value>(&id).await?),
    })
}

/// The items of a JSON array as arguments.
pub(crate) struct Items(pub(crate) Vec<Value>);

impl Serialize for Items {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for value in &self.0 {
            tuple.serialize_element(value)?;
        }
        tuple.end()
    }
}

async fn operate(
    what: &str,
    url: &Url,
    target: Broadcast,
    body: &str,
) -> Result<Option<Value>, EmitError> {
    let event = query(url, "event");
    let room = query(url, "room");
    let args = Items(serde_json::from_str(body).unwrap_or_default());
    let done = Some(Value::from("ok"));
    Ok(match what {
        "emit" => target.emit(&event, args).await.map(|()| done)?,
        "make-join" => target.join(room).await.map(|()| done)?,
        "make-leave" => target.leave(room).await.map(|()| done)?,
        "make-disconnect" if query(url, "close") == "1" => target.close().await.map(|()| done)?,
        "make-disconnect" => target.disconnect().await.map(|()| done)?,
        "fetch" => Some(list(&target.fetch_sockets().await?).into()),
        "count" => Some(target.count().await?.into()),
        "room-sizes" => Some(json!(room_sizes(&target).await?)),
        "emit-with-ack" => {
            let limit = query(url, "timeout").parse().unwrap_or(1_000);
            let target = target.timeout(Duration::from_millis(limit));
            let acks = target.emit_with_ack::<(Value,)>(&event, args).await?;
            let answers = acks.into_values().into_iter().map(|(value,)| value);
            Some(answers.collect::<Vec<_>>().into())
        }
        _ => None,
    })
}
