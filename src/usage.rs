//! What the chat's object does and costs, for the page that shows it. Nothing in it says who
//! anybody is.

use core::cell::OnceCell;

use dormouse::{EmitError, Io, Namespace, Socket, Usage};
use serde::Serialize;
use worker::js_sys::Math;

/// The namespace that the page is in.
pub(crate) const NAMESPACE: &str = "/usage";

/// What those who watch are told.
#[derive(Serialize)]
struct Report {
    /// The sockets in the chat, and those that watch.
    people: usize,
    watching: usize,
    rooms: usize,
    /// At random. Another one comes when the object wakes up, and counts from 0.
    life: u64,
    usage: Usage,
    nanodollars: u64,
}

/// What is in the object's memory until it sleeps.
#[derive(Default)]
struct Life(OnceCell<u64>);

impl Life {
    fn number(&self) -> u64 {
        let draw = || (Math::random() * 2_f64.powi(53)) as u64;
        *self.0.get_or_init(draw)
    }
}

impl Report {
    async fn of(io: &Io) -> Result<Self, EmitError> {
        let chat = io.of("/");
        let usage = io.usage().unwrap_or_default();
        let life = io.memory::<Life>().map(|life| life.number());
        Ok(Self {
            people: chat.count().await?,
            watching: io.of(NAMESPACE).count().await?,
            rooms: chat.rooms().await?.len(),
            life: life.unwrap_or_default(),
            usage,
            nanodollars: usage.nanodollars(),
        })
    }
}

pub(crate) fn define(namespace: Namespace) -> Namespace {
    namespace
        .on_connect(async |socket: Socket| {
            let report = Report::of(&socket.io()).await?;
            socket.emit("report", report).await
        })
        // What has been counted meanwhile is told at the end of each event.
        .on("look", || ())
}

/// Tells those who watch. It is neither billed nor stored.
pub(crate) async fn tell(io: Io) -> Result<(), EmitError> {
    let report = Report::of(&io).await?;
    if report.watching > 0 {
        let watching = io.of(NAMESPACE).all().volatile();
        watching.emit("report", report).await?;
    }
    Ok(())
}
