//! Tasks of the whole object, and alarms, on every Socket.IO server of the tests and on
//! one of Engine.IO.

use core::time::Duration;

use dormouse::engine::{Client, Clients, Engine, Placement};
use dormouse::{Alarm, AlarmError, EmitError, HandlerError, Io, Namespace, Server, Socket, sleep};
use serde_json::json;

use crate::echo;
use crate::socket::tell;

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The handlers of alarms.
pub(crate) fn alarms(server: Server) -> Server {
    server
        .on_alarm("say-{what}", async |io: Io, alarm: Alarm| {
            told(&alarm);
            let what = alarm.param("what").unwrap_or_default();
            io.emit("alarm", (what, alarm.name())).await
        })
        .on_alarm("say-nothing", |alarm: Alarm| told(&alarm))
        // For the simulation, which may cut them off.
        .on_alarm("now-{number}", |alarm: Alarm| done(&alarm))
        .on_alarm("later-{number}", async |alarm: Alarm| {
            sleep(millis(500)).await;
            done(&alarm);
        })
        .on_alarm("count-{number}", count)
        .on_alarm("again", async |io: Io, alarm: Alarm| {
            told(&alarm);
            io.emit("again", ()).await?;
            alarm.again(millis(1_000)).await?;
            Ok::<(), HandlerError>(())
        })
        .on_alarm("slow-{millis}", async |io: Io, alarm: Alarm| {
            told(&alarm);
            let delay = alarm.param("millis").and_then(|it| it.parse().ok());
            sleep(millis(delay.unwrap_or_default())).await;
            io.emit("slow", ()).await
        })
        .on_alarm("panic", |alarm: Alarm| -> () {
            told(&alarm);
            panic!("asked to, in an alarm")
        })
        .on_alarm("panic-later", async |alarm: Alarm| -> () {
            told(&alarm);
            sleep(millis(10)).await;
            panic!("asked to, later in an alarm")
        })
        .on_alarm("fail", |alarm: Alarm| {
            told(&alarm);
            Err::<(), _>(HandlerError::internal("asked to, in an alarm"))
        })
}

fn told(alarm: &Alarm) {
    tell(json!({ "event": "alarm", "name": alarm.name(), "due": alarm.due() }));
}

fn done(alarm: &Alarm) {
    tell(json!({ "event": "alarm done", "name": alarm.name() }));
}

/// Counts down, an alarm for each number.
async fn count(io: Io, alarm: Alarm) -> Result<(), HandlerError> {
    let number: u64 = alarm.param("number").unwrap_or_default().parse()?;
    io.emit("count", number).await?;
    if number > 0 {
        let next = format!("count-{}", number - 1);
        io.set_alarm(&next, millis(20)).await?;
    }
    Ok(())
}

/// The events about both.
pub(crate) fn tasks(namespace: Namespace) -> Namespace {
    namespace
        .on("set-alarm", async |io: Io, (name, after): (String, u64)| {
            answer(io.set_alarm(&name, millis(after)).await)
        })
        .on(
            "ensure-alarm",
            async |io: Io, (name, after): (String, u64)| {
                answer(io.ensure_alarm(&name, millis(after)).await)
            },
        )
        .on("cancel-alarm", async |io: Io, (name,): (String,)| {
            answer(io.cancel_alarm(&name).await)
        })
        .on("set-alarms", async |io: Io, (count, after): (u32, u64)| {
            for number in 0..count {
                io.set_alarm(&format!("say-{number}"), millis(after))
                    .await?;
            }
            Ok::<_, AlarmError>("ok")
        })
        .on(
            "rename-alarm",
            |socket: Socket, (from, to): (String, String)| {
                // As another build might have called it.
                let statement = "UPDATE dormouse_alarms SET name = ? WHERE name = ?";
                let bindings = vec![to.into(), from.into()];
                socket.storage().sql().exec(statement, bindings)?;
                Ok::<_, worker::Error>("ok")
            },
        )
        .on("spawn", |io: Io, (name, what): (String, String)| {
            io.spawn(&name, async move |io| run(io, &what).await)
        })
}

fn answer(result: Result<(), AlarmError>) -> Result<&'static str, String> {
    result.map(|()| "ok").map_err(|error| error.to_string())
}

async fn run(io: Io, what: &str) -> Result<(), HandlerError> {
    sleep(millis(10)).await;
    match what {
        "fail" => return Err(HandlerError::internal("asked to, in a task")),
        "panic" => panic!("asked to, in a task"),
        "count" => {
            for number in 0..3 {
                io.emit("number", number).await?;
                sleep(millis(100)).await;
            }
        }
        _ => while_there(&io).await?,
    }
    Ok(())
}

async fn while_there(io: &Io) -> Result<(), EmitError> {
    while io.count().await? > 0 {
        sleep(millis(10)).await;
    }
    tell(json!({ "task": "done" }));
    Ok(())
}

/// Engine.IO, in objects of one session each.
pub(crate) fn engine() -> Engine {
    alarms_of(echo("/engine-tasks/")).placement(Placement::PerSession)
}

/// The handlers of its alarms.
pub(crate) fn alarms_of(engine: Engine) -> Engine {
    engine.on_alarm("to-{sid}", async |clients: Clients, alarm: Alarm| {
        told(&alarm);
        let sid = alarm.param("sid").unwrap_or_default();
        // It may have gone.
        let _ = clients.send(sid, "alarm").await;
    })
}

/// The commands of its clients: `cmd:alarms set <ms>`, `cancel`, or `spawn`.
pub(crate) async fn command(client: &Client, text: &str) -> Result<(), HandlerError> {
    let alarm = format!("to-{}", client.sid());
    match *text.split(' ').collect::<Vec<_>>() {
        [_, "set", after] => client.set_alarm(&alarm, millis(after.parse()?)).await?,
        [_, "cancel"] => client.cancel_alarm(&alarm).await?,
        _ => {
            let sid = client.sid().to_string();
            let task = async move |clients: Clients| {
                sleep(millis(10)).await;
                clients.send(&sid, "task").await
            };
            let clients = client.clients();
            clients
                .map(|clients| clients.spawn("task", task))
                .transpose()?;
        }
    }
    Ok(client.send("done").await?)
}
