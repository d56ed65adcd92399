//! Sessions of a web site, in KV: whoever has logged in there is known here by the cookie,
//! and whoever logs out there is disconnected here.

use dormouse::{HandlerError, Handshake, Io, Namespace, Refusal, Server, Socket};
use worker::wasm_bindgen::{self, prelude::wasm_bindgen};
use worker::{Env, Request, Response};

/// The path of the server, by which the routes below reach it.
pub(crate) const PATH: &str = "/sessions/";

/// In seconds.
const LIFETIME: u64 = 7 * 24 * 60 * 60;

/// The characters of an id.
const UUID: usize = 36;

pub(crate) fn server() -> Server {
    Server::new()
        .path(PATH)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(enter)
                .on("who am I", |socket: Socket| {
                    Ok::<_, HandlerError>(socket.data::<String>()?)
                })
        })
}

async fn enter(socket: Socket, env: Env, handshake: Handshake) -> Result<(), Refusal> {
    let again = || Refusal::new("log in first");
    let id = handshake
        .header("cookie")
        .as_deref()
        .and_then(cookie)
        .ok_or_else(again)?;
    let user = env
        .kv("SESSIONS")?
        .get(&id)
        .text()
        .await?
        .ok_or_else(again)?;
    socket.set_data(&user)?;
    // The room of all tabs of this session.
    socket.join(id).await?;
    Ok(())
}

/// `POST /log-in` with a name. A page on the same origin sends the cookie along when it
/// connects.
pub(crate) async fn log_in(mut request: Request, env: Env) -> worker::Result<Response> {
    let name = request.text().await?;
    // Check the password, or whatever it is.
    let id = random_uuid();
    let sessions = env.kv("SESSIONS")?;
    sessions
        .put(&id, name)?
        .expiration_ttl(LIFETIME)
        .execute()
        .await?;
    let mut response = Response::empty()?;
    let attributes = format!("Path=/; Max-Age={LIFETIME}; HttpOnly; Secure; SameSite=Lax");
    response
        .headers_mut()
        .set("set-cookie", &format!("session={id}; {attributes}"))?;
    Ok(response)
}

/// `POST /log-out`.
pub(crate) async fn log_out(request: Request, env: Env) -> worker::Result<Response> {
    let header = request.headers().get("cookie")?;
    if let Some(id) = header.as_deref().and_then(cookie) {
        // A session may be read from KV for a minute after it is deleted.
        env.kv("SESSIONS")?.delete(&id).await?;
        let io = Io::new(&env, PATH).ok_or("there is no server for sessions")?;
        io.to(id).disconnect().await?;
    }
    Response::empty()
}

/// Returns the id of the session in a `Cookie` header.
fn cookie(header: &str) -> Option<String> {
    let mut pairs = header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    let (_, id) = pairs.find(|(name, id)| *name == "session" && id.len() == UUID)?;
    Some(id.to_owned())
}

#[wasm_bindgen]
extern "C" {
    /// Returns an id that nobody can guess.
    #[wasm_bindgen(js_namespace = crypto, js_name = randomUUID)]
    fn random_uuid() -> String;
}
