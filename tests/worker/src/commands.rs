//! Messages that ask the application to do something.

use core::time::Duration;
use std::collections::BTreeMap;

use dormouse::engine::{Client, HandlerError, Handshake, SendError, sleep};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What is kept of a client.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    text: Option<String>,
    request: Value,
}

pub(crate) fn remember_request(client: &Client, handshake: &Handshake) {
    let queries: BTreeMap<_, _> = handshake.queries().into_iter().collect();
    let headers: BTreeMap<_, _> = handshake.headers().entries().collect();
    let request = json!({
        "url": handshake.url(),
        "query": queries,
        "headers": headers,
        "cf": handshake.cf().is_some(),
        "address": handshake.address(),
        "secure": handshake.is_secure(),
        "subprotocols": handshake.subprotocols(),
    });
    client
        .save_session(&Kept {
            text: None,
            request,
        })
        .ok();
}

pub(crate) async fn run(client: &Client, text: &str) -> Result<(), HandlerError> {
    let mut words = text.splitn(3, ' ');
    let command = words.next().unwrap_or_default();
    let first = words.next().unwrap_or_default();
    let rest = words.next().unwrap_or_default().to_owned();
    let number: usize = first.parse().unwrap_or_default();
    match command {
        "cmd:close" => client.disconnect().await,
        "cmd:burst" => {
            for index in 0..number {
                client.send(index.to_string()).await?;
            }
        }
        "cmd:big" => client.send("x".repeat(number)).await?,
        "cmd:bigbin" => client.send(vec![0x2a; number]).await?,
        "cmd:transport" => {
            client
                .send(
                    client
                        .transport()
                        .map_or("none", |transport| transport.as_str()),
                )
                .await?;
        }
        "cmd:json" => {
            client
                .send_json(&json!({ "a": 1, "b": [true, null] }))
                .await?
        }
        "cmd:request" => {
            let kept: Kept = client.session()?.unwrap_or_default();
            client.send_json(&kept.request).await?;
        }
        "cmd:session" => session(client, first, rest).await?,
        "cmd:send" => {
            let sent = match client.clients() {
                Some(clients) => clients.send(first, rest).await,
                None => Err(SendError::Unknown),
            };
            client
                .send(if sent.is_ok() { "sent" } else { "unknown" })
                .await?;
        }
        "cmd:disconnect" => {
            if let Some(clients) = client.clients() {
                clients.disconnect(first).await?;
            }
        }
        "cmd:disconnect-all" => {
            if let Some(clients) = client.clients() {
                clients.disconnect_all().await?;
            }
        }
        "cmd:store" => {
            let sql = client.storage().sql();
            sql.exec("CREATE TABLE own (text TEXT)", None)?;
            client.send("stored").await?;
        }
        "cmd:panic" => panic!("asked to"),
        "cmd:panic-later" => {
            sleep(Duration::from_millis(10)).await;
            panic!("asked to, later");
        }
        "cmd:hang" => core::future::pending().await,
        "cmd:block" => client.send(block(number as u32).to_string()).await?,
        "cmd:error" => return Err(HandlerError::internal("asked to")),
        "cmd:slow" => {
            sleep(Duration::from_millis(number as u64)).await;
            client.send(rest).await?;
        }
        "cmd:task" => {
            let task = client.clone();
            client.spawn(async move {
                sleep(Duration::from_millis(number as u64)).await;
                task.send(rest).await.ok();
            });
        }
        _ => client.send("unknown command").await?,
    }
    Ok(())
}

/// Keeps the processor to itself for so many million rounds. Counted, for the clock
/// stands still meanwhile.
pub(crate) fn block(rounds: u32) -> u32 {
    (0..rounds.saturating_mul(1_000_000)).fold(1, |sum, round| {
        core::hint::black_box(sum ^ round).wrapping_mul(0x0100_0193)
    })
}

async fn session(client: &Client, what: &str, text: String) -> Result<(), HandlerError> {
    let answer = match what {
        "set" => {
            client.edit_session(|kept: &mut Kept| kept.text = Some(text))?;
            "saved".to_owned()
        }
        "edit" => client.edit_session(|kept: &mut Kept| {
            let edited = kept.text.take().unwrap_or_default() + &text;
            kept.text = Some(edited.clone());
            edited
        })?,
        _ => {
            let kept: Kept = client.session()?.unwrap_or_default();
            kept.text.unwrap_or_else(|| "none".to_owned())
        }
    };
    Ok(client.send(answer).await?)
}
