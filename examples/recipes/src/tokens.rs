//! Who is it? A JSON Web Token says so, as long as it is valid. The client is asked for
//! another one in time, and sends it on the open socket; whoever does not is disconnected.

use core::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use dormouse::{Alarm, Auth, EventName, HandlerError, Io, Namespace, Refusal, Server, Socket};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use worker::{Date, Env};

/// How long before a token expires its client is asked for another one, in seconds.
const AHEAD: u64 = 30;

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// What a token says, and what is kept of its client.
#[derive(Deserialize, Serialize)]
struct User {
    #[serde(rename = "sub")]
    id: String,
    /// Seconds since 1970.
    #[serde(rename = "exp")]
    until: u64,
}

pub(crate) fn server() -> Server {
    Server::new()
        .on_alarm("expiry", expire)
        .namespace("/", |namespace: Namespace| {
            namespace
                .on_connect(enter)
                .event_middleware(check)
                .on("renew", renew)
                .on("who am I", |socket: Socket| {
                    Ok::<_, HandlerError>(socket.data::<User>()?.map(|user| user.id))
                })
        })
}

async fn enter(socket: Socket, io: Io, env: Env, Auth(login): Auth<Login>) -> Result<(), Refusal> {
    let user = verify(&login.token, &env)?.ok_or_else(|| Refusal::new("log in again"))?;
    // All tokens are valid for the same time, so if the alarm is set, it comes before that
    // of this client.
    let asked = user.until.saturating_sub(AHEAD);
    io.ensure_alarm("expiry", from_now(asked)).await?;
    socket.set_data(&user)?;
    Ok(())
}

/// Takes another token of the same user.
fn renew(socket: Socket, env: Env, (token,): (String,)) -> Result<(), HandlerError> {
    let user = verify(&token, &env)?;
    let now: Option<User> = socket.data()?;
    match (user, now) {
        (Some(user), Some(now)) if user.id == now.id => Ok(socket.set_data(&user)?),
        _ => Err(HandlerError::new("log in again")),
    }
}

/// Handles no event of a client whose token has expired. The alarm may be late.
fn check(socket: Socket, event: EventName) -> Result<(), HandlerError> {
    let user: Option<User> = socket.data()?;
    match user {
        Some(user) if user.until > now() || &*event == "renew" => Ok(()),
        _ => Err(HandlerError::new("renew")),
    }
}

/// Asks for tokens, disconnects those who have not sent one, and comes again for the next.
async fn expire(io: Io, alarm: Alarm) -> Result<(), HandlerError> {
    let mut next = u64::MAX;
    for remote in io.fetch_sockets().await? {
        let Some(User { until, .. }) = remote.data()? else {
            continue;
        };
        let asked = until.saturating_sub(AHEAD);
        if until <= now() {
            remote.socket().disconnect().await?;
        } else if asked <= now() {
            remote.socket().emit("renew", ()).await?;
            next = next.min(until);
        } else {
            next = next.min(asked);
        }
    }
    // Nobody is there: then the next client sets it again.
    if next < u64::MAX {
        alarm.again(from_now(next)).await?;
    }
    Ok(())
}

/// Returns what a token says that was signed with our key and has not expired.
fn verify(token: &str, env: &Env) -> worker::Result<Option<User>> {
    let key = env.secret("JWT_KEY")?.to_string();
    Ok(read(token, key.as_bytes()).filter(|user| user.until > now()))
}

fn read(token: &str, key: &[u8]) -> Option<User> {
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(signed.as_bytes());
    mac.verify_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?)
        .ok()?;

    // Or a token could choose how it is checked.
    #[derive(Deserialize)]
    struct Header {
        alg: String,
    }
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let user = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    (header.alg == "HS256").then_some(user)
}

fn now() -> u64 {
    Date::now().as_millis() / 1000
}

/// Never at once: a client that is about to be let in would not be found yet.
fn from_now(at: u64) -> Duration {
    Duration::from_secs(at.saturating_sub(now()).max(1))
}
