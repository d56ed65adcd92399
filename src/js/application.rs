//! From the host's description of its servers to an application.
//!
//! A description is an array of objects, one for each server: `options`, whose members are
//! those of `options.rs`; `namespaces`, each with its `name` or a predicate's
//! `definition` alone; and whether the host wants to be asked.

use dormouse::{App, Args, Io, JoinRequest, LogRecord, Namespace, Placement, Server, Usage};
use js_sys::Array;

use crate::handlers::{self, Wanted};
use crate::host::{Host, host};
use crate::options::{self, Members};

/// Returns the application.
pub(crate) fn describe(servers: &Array) -> App {
    let mut app = App::new();
    for (number, described) in servers.iter().enumerate() {
        let described = Members(described);
        if let Some(binding) = described.text("binding") {
            app = app.binding(&binding);
        }
        app = app.server(server(number as u32, &described));
    }
    app
}

fn server(number: u32, described: &Members) -> Server {
    let mut server = options::apply(Server::new(), &Members(described.get("options")));
    let Some(host) = host() else {
        // Only the options are looked at.
        return server.namespace("/", |namespace| namespace);
    };
    if described.flag("admits") == Some(true) {
        let host = host.clone();
        server = server.admit(async move |handshake: dormouse::Handshake| {
            handlers::admit(&host, number, &handshake).await
        });
    }
    if described.flag("logs") == Some(true) {
        let host = host.clone();
        server = server.logger(move |record: &LogRecord| host.log(number, &record.to_string()));
    }
    if described.flag("counts") == Some(true) {
        let host = host.clone();
        server = server.on_usage(async move |io: Io, usage: Usage| {
            handlers::count(&host, number, &io, &usage).await;
        });
    }
    if described.flag("places") == Some(true) {
        let host = host.clone();
        server = server.placement(Placement::key(move |handshake| {
            host.place(number, &handlers::json(handshake))
        }));
    }
    #[cfg(feature = "spread")]
    if let Some(described) = described.members("spread") {
        server = server.placement(spread(number, &host, &described));
    }
    if described.flag("opens") == Some(true) {
        let host = host.clone();
        server = server.on_new_namespace(async move |io: Io| {
            handlers::open(&host, number, &io).await;
        });
    }
    for name in described.texts("hears").unwrap_or_default() {
        let host = host.clone();
        server = server.on_server_event(&name, async move |io: Io, args: Args| {
            handlers::hear(&host, number, &io, &args).await
        });
    }
    for namespace in Array::from(&described.get("namespaces")).iter() {
        server = define(server, &host, &Members(namespace));
    }
    server
}

/// Returns a placement in many objects that are one server.
#[cfg(feature = "spread")]
fn spread(number: u32, host: &Host, described: &Members) -> dormouse::Spread {
    let count = |name: &str| described.number(name).map(|number| number as u32);
    let mut spread = Placement::spread(count("objects").unwrap_or_default());
    if described.flag("isNear") == Some(true) {
        let host = host.clone();
        spread = spread.near(move |handshake| host.place(number, &handlers::json(handshake)));
    }
    if let Some(clients) = count("capacity") {
        spread = spread.capacity(clients);
    }
    if let Some(objects) = count("relayFrom") {
        spread = spread.relay_from(objects);
    }
    if let Some(hubs) = count("hubs") {
        spread = spread.hubs(hubs);
    }
    if described.flag("byContinent") == Some(true) {
        spread = spread.by_continent();
    }
    match described.text("location") {
        Some(hint) => spread.location(&hint),
        None => spread,
    }
}

fn define(server: Server, host: &Host, described: &Members) -> Server {
    let wanted = Wanted {
        definition: described.number("definition").unwrap_or_default() as u32,
        examines: described.flag("examines") == Some(true),
        connects: described.flag("connects") == Some(true),
        observes: described.flag("observes") == Some(true),
    };
    let register = |namespace: Namespace| handlers::register(host, wanted, namespace);
    match described.text("name") {
        Some(name) => server.namespace(&name, register),
        None => {
            let host = host.clone();
            let exists = async move |request: JoinRequest| {
                handlers::exists(&host, wanted.definition, &request).await
            };
            server.namespace_if(exists, register)
        }
    }
}
