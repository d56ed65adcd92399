//! A Socket.IO server without application code: the variables in `wrangler.toml` say what
//! it serves, and a back end in any language decides by webhooks.

mod variables;

use core::time::Duration;

use dormouse::{
    App, Handshake, Hook, HttpApi, Level, Parser, Placement, RateLimit, Recovery, Server, Spread,
    Webhook,
};

use crate::variables::Variables;

/// All variables, and the options of the server that they set.
const VARIABLES: &[(&str, &str)] = &[
    ("SOCKET_PATH", "path"),
    ("ORIGINS", "origins"),
    ("CREDENTIALS", "credentials"),
    ("NAMESPACES", "namespace"),
    ("PARSER", "parser"),
    ("PLACEMENT", "placement"),
    ("NEAR", "near"),
    ("CAPACITY", "capacity"),
    ("LOCATION", "location"),
    ("RECOVERY", "recovery"),
    ("IN_ORDER", "in_order"),
    ("RATE_LIMIT", "rate_limit"),
    ("ADDRESS_RATE_LIMIT", "address_rate_limit"),
    ("LOG", "log"),
    ("WEBHOOK_URL", "webhook"),
    ("WEBHOOK_HOOKS", "hooks"),
    ("WEBHOOK_EVENTS", "on"),
    ("WEBHOOK_TIME_LIMIT", "time_limit"),
    ("WEBHOOK_IN_FLIGHT", "in_flight"),
    ("WEBHOOK_MAX_ANSWER", "max_answer"),
    ("WEBHOOK_RETRY_EVENTS", "retry_events"),
    ("WEBHOOK_SECRET", "secrets"),
    ("WEBHOOK_SECRET_OLD", "secrets"),
    ("API_SECRET", "api"),
    ("API_SECRET_OLD", "api"),
    ("API_SIGNED", "signed"),
];

fn app() -> Result<App, String> {
    let env = dormouse::env().ok_or("this is not a Worker")?;
    let variables = Variables::read(&env, VARIABLES.iter().map(|(name, _)| *name))?;
    let app = App::from(server(&variables)?);
    // The server speaks of its options, and whoever configures it knows the variables.
    app.check().map_err(|error| {
        let option = error.option();
        let found = VARIABLES.iter().find(|(_, set)| *set == option);
        let name = found.map_or(option, |(name, _)| *name);
        format!("{name}: {}", error.remedy())
    })?;
    Ok(app)
}

fn server(variables: &Variables) -> Result<Server, String> {
    let mut server = Server::new()
        .origins(origins(variables)?)
        .credentials(variables.flag("CREDENTIALS")?)
        .in_order(variables.flag("IN_ORDER")?)
        .rate_limit(rate_limit(variables, "RATE_LIMIT", RateLimit::default())?)
        .address_rate_limit(rate_limit(
            variables,
            "ADDRESS_RATE_LIMIT",
            RateLimit::none(),
        )?)
        .placement(placement(variables)?)
        .log(level(variables)?);
    match variables.text("PARSER")?.as_deref() {
        None | Some("json") => {}
        Some("msgpack") => server = server.parser(Parser::MSGPACK),
        Some(other) => {
            return Err(format!(
                "PARSER: \"{other}\" is neither \"json\" nor \"msgpack\""
            ));
        }
    }
    if let Some(path) = variables.text("SOCKET_PATH")? {
        server = server.path(&path);
    }
    if let Some(away) = variables
        .seconds("RECOVERY")?
        .filter(|away| !away.is_zero())
    {
        server = server.recovery(Recovery::default().max_disconnection(away));
    }
    if let Some(api) = api(variables)? {
        server = server.api(api);
    }
    let webhook = webhook(variables)?;
    let names = variables.list("NAMESPACES")?;
    for name in names.unwrap_or_else(|| vec!["/".to_owned()]) {
        server = server.namespace(&name, |namespace| namespace.group(webhook.clone()));
    }
    Ok(server)
}

/// The HTTP API, which is there as soon as it has a secret.
fn api(variables: &Variables) -> Result<Option<HttpApi>, String> {
    let signed = variables.flag("API_SIGNED")?;
    let has_secret =
        variables.text("API_SECRET")?.is_some() || variables.text("API_SECRET_OLD")?.is_some();
    if signed && !has_secret {
        return Err("API_SIGNED: there is no API_SECRET to sign with".to_owned());
    }
    Ok(has_secret.then(|| HttpApi::new().signed(signed)))
}

fn webhook(variables: &Variables) -> Result<Webhook, String> {
    let url = variables.text("WEBHOOK_URL")?.ok_or(
        "WEBHOOK_URL: is not set; it is the address of the back end, such as \
         \"https://api.example.com/socket.io\"",
    )?;
    let mut webhook = Webhook::new(&url).retry_events(variables.flag("WEBHOOK_RETRY_EVENTS")?);
    if let Some(limit) = variables.seconds("WEBHOOK_TIME_LIMIT")? {
        webhook = webhook.time_limit(limit);
    }
    if let Some(names) = variables.list("WEBHOOK_HOOKS")? {
        webhook = webhook.hooks(&hooks(&names)?);
    }
    if let Some(names) = variables.list("WEBHOOK_EVENTS")? {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        webhook = webhook.events(&names);
    }
    if let Some(all) = variables.numbers("WEBHOOK_IN_FLIGHT")? {
        let [client, address, object] = *all else {
            return Err(
                "WEBHOOK_IN_FLIGHT: write three numbers, those for a client, for an address \
                 and for an object, such as [4, 5, 32]"
                    .to_owned(),
            );
        };
        webhook = webhook.in_flight(client as usize, address as usize, object as usize);
    }
    if let Some(bytes) = variables.number("WEBHOOK_MAX_ANSWER")? {
        webhook = webhook.max_answer(bytes as usize);
    }
    Ok(webhook)
}

fn hooks(names: &[String]) -> Result<Vec<Hook>, String> {
    let all = [Hook::Connect, Hook::Event, Hook::Disconnect, Hook::Expired];
    let hook = |name: &String| {
        let found = all.into_iter().find(|hook| hook.as_str() == name);
        found.ok_or_else(|| {
            format!(
                "WEBHOOK_HOOKS: \"{name}\" is none of \"connect\", \"event\", \"disconnect\" and \
                 \"expired\""
            )
        })
    };
    names.iter().map(hook).collect()
}

fn origins(variables: &Variables) -> Result<dormouse::Origins, String> {
    Ok(match variables.list("ORIGINS")? {
        None => dormouse::Origins::Same,
        Some(origins) if origins.is_empty() => {
            return Err(
                "ORIGINS: is empty; name the pages that may connect, such as \
                 [\"https://example.com\"], write \"*\" for all, or leave it out for those of \
                 this Worker's own origin"
                    .to_owned(),
            );
        }
        Some(origins) => origins.into(),
    })
}

/// One object for all sockets, one for each value of a parameter or a header, or many that
/// are one server.
fn placement(variables: &Variables) -> Result<Placement, String> {
    let text = variables.text("PLACEMENT")?;
    let text = text.as_deref().unwrap_or("one");
    if let Some(objects) = text.strip_prefix("spread:") {
        let objects = objects.parse().map_err(|_| {
            format!("PLACEMENT: \"{objects}\" is not a number of objects, such as \"spread:8\"")
        })?;
        return Ok(spread(variables, objects)?.into());
    }
    for name in ["NEAR", "CAPACITY", "LOCATION"] {
        if variables.is_set(name) {
            return Err(format!(
                "{name}: is for many objects that are one server: PLACEMENT = \"spread:8\""
            ));
        }
    }
    match key(text) {
        Some(key) => Ok(Placement::key(key)),
        None if text == "one" => Ok(Placement::Shards(1)),
        None => Err(format!(
            "PLACEMENT: \"{text}\" is neither \"one\", nor \"spread:\" with a number of objects, nor \
             \"query:\" or \"header:\" with the name of what tells the sockets of one object from \
             others, such as \"query:room\""
        )),
    }
}

/// Many objects that are one server.
fn spread(variables: &Variables, objects: u32) -> Result<Spread, String> {
    let mut spread = Placement::spread(objects);
    if let Some(text) = variables.text("NEAR")? {
        spread = spread.near(key(&text).ok_or_else(|| {
            format!("NEAR: \"{text}\" is not a key, such as \"query:room\" or \"header:x-tenant\"")
        })?);
    }
    if let Some(clients) = variables.number("CAPACITY")? {
        spread = spread.capacity(clients);
    }
    match variables.text("LOCATION")?.as_deref() {
        None => {}
        Some("continent") => spread = spread.by_continent(),
        Some(hint) => spread = spread.location(hint),
    }
    Ok(spread)
}

/// The value of a parameter or a header: `query:room`, `header:x-tenant`.
fn key(text: &str) -> Option<impl Fn(&Handshake) -> String + use<>> {
    let (kind, name) = text.split_once(':').filter(|(_, name)| !name.is_empty())?;
    let is_header = match kind {
        "query" => false,
        "header" => true,
        _ => return None,
    };
    let name = name.to_owned();
    Some(move |handshake: &Handshake| {
        let value = match is_header {
            true => handshake.header(&name),
            false => handshake.query(&name),
        };
        value.unwrap_or_default()
    })
}

/// A table such as `{ packets = [50, 200] }`: how many in a second, and how many at once.
fn rate_limit(
    variables: &Variables,
    name: &'static str,
    default: RateLimit,
) -> Result<RateLimit, String> {
    let mut limit = default;
    for (what, numbers) in variables.table_of_numbers(name)?.unwrap_or_default() {
        let [per_second, burst] = *numbers else {
            return Err(format!(
                "{name}: {what} takes two numbers, how many in a second and how many at once, \
                 such as [50, 200]"
            ));
        };
        limit = match &*what {
            "packets" => limit.packets(per_second, burst),
            "bytes" => limit.bytes(per_second, burst),
            "joins" => limit.joins(per_second, burst),
            "handshakes" => limit.handshakes(per_second, burst),
            _ => {
                return Err(format!(
                    "{name}: {what} is none of packets, bytes, joins and handshakes"
                ));
            }
        };
    }
    Ok(limit)
}

fn level(variables: &Variables) -> Result<Level, String> {
    let text = variables.text("LOG")?;
    Ok(match text.as_deref() {
        None | Some("warn") => Level::Warn,
        Some("off") => Level::Off,
        Some("error") => Level::Error,
        Some("info") => Level::Info,
        Some("debug") => Level::Debug,
        Some(other) => {
            return Err(format!(
                "LOG: \"{other}\" is none of \"off\", \"error\", \"warn\", \"info\" and \"debug\""
            ));
        }
    })
}

/// Seconds as they are written in a variable.
const fn seconds(count: u32) -> Duration {
    Duration::from_secs(count as u64)
}

dormouse::worker!(app);
