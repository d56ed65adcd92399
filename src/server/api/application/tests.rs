use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::api::{Namespace, Server};

/// Which option is wrong, and what is to be done.
fn wrong(server: Server) -> Option<(&'static str, String)> {
    let error = server.application.check(&server.options).err()?;
    Some((error.option, error.remedy))
}

fn check(server: Server, option: &str, remedy: &str) {
    let (wrong, tells) = wrong(server).unwrap_or_else(|| panic!("{option} is right"));
    assert_eq!(wrong, option);
    assert!(tells.contains(remedy), "{option}: {tells}");
}

fn root(define: impl FnOnce(Namespace) -> Namespace) -> Server {
    Server::new().namespace("/", define)
}

fn named(names: &[&str]) -> Server {
    names.iter().fold(Server::new(), |server, name| {
        server.namespace(name, |namespace| namespace)
    })
}

#[wasm_bindgen_test(unsupported = test)]
fn a_namespace_has_a_name_that_can_be_joined() {
    for name in ["/", "/a", "/Acme Inc.", "/é/b", "/room-{id}", "/{*rest}"] {
        assert_eq!(wrong(named(&[name])), None, "{name}");
    }
    for name in ["/Acme, Inc.", "/q?x", "/room-{id}?x", "/{a},b", "/{a,b}"] {
        check(
            named(&[name]),
            "namespace",
            &format!("\"{name}\" cannot be joined"),
        );
    }
    for name in ["", "a", "a/b", "/{", "room-{id}"] {
        check(
            named(&[name]),
            "namespace",
            &format!("\"{name}\" is not a name"),
        );
    }
    check(named(&[]), "namespace", "at least one");
}

#[wasm_bindgen_test(unsupported = test)]
fn new_namespaces_have_one_handler() {
    let once = named(&["/"]).on_new_namespace(|| ());
    check(
        once.on_new_namespace(async || ()),
        "on_new_namespace",
        "it has two handlers",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn definitions_are_looked_up_by_their_own_name_first() {
    let server = named(&["/{first}"])
        .namespace_if(|| true, |namespace| namespace)
        .namespace("/own", |namespace| namespace)
        .namespace("/late/{last}", |namespace| namespace);
    let look_up = |namespace| match server.application.look_up(namespace) {
        LookUp::Found(found) => Some(found.definition.index),
        LookUp::Nothing => None,
        LookUp::Ask => Some(u16::MAX),
    };
    assert_eq!(look_up("/own"), Some(2));
    assert_eq!(look_up("/other"), Some(0));
    // A predicate comes before it.
    assert_eq!(look_up("/late/a"), Some(u16::MAX));
    let server = named(&["/a", "/b-{b}"]);
    assert!(matches!(server.application.look_up("/c"), LookUp::Nothing));
    let dynamic = [0, 1, 2].map(|index| server.application.is_dynamic(index));
    assert_eq!(dynamic, [false, true, false]);
}

#[wasm_bindgen_test(unsupported = test)]
fn a_namespace_is_defined_once() {
    let distinct = named(&["/", "/a", "/A", "/{a}", "/{b}", "/a/{*b}"]);
    let distinct = distinct.namespace_if(|| true, |namespace| namespace);
    assert_eq!(
        wrong(distinct.namespace_if(|| true, |namespace| namespace)),
        None
    );
    check(
        named(&["/", "/a", "/"]),
        "namespace",
        "\"/\" is defined twice",
    );
    check(
        named(&["/room-{id}", "/room-{id}"]),
        "namespace",
        "\"/room-{id}\" is defined twice",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn an_event_has_one_handler() {
    let once = root(|it| it.on("a", || ()).on("b", || ()).on_any(|| ()).on_any(|| ()));
    assert_eq!(wrong(once), None);
    let twice = root(|it| it.on("a", || ()).on("b", || ()).on("a", || ()));
    check(twice, "on", "in \"/\", a has two handlers");
    for (method, twice) in [
        (
            "on_connect",
            root(|it| it.on_connect(|| ()).on_connect(|| ())),
        ),
        (
            "on_fallback",
            root(|it| it.on_fallback(|| ()).on_fallback(|| ())),
        ),
        (
            "on_disconnecting",
            root(|it| it.on_disconnecting(|| ()).on_disconnecting(|| ())),
        ),
        (
            "on_disconnect",
            root(|it| it.on_disconnect(|| ()).on_disconnect(|| ())),
        ),
        (
            "on_expired",
            root(|it| it.on_expired(|| ()).on_expired(|| ())),
        ),
    ] {
        check(twice, method, "in \"/\", it has two handlers");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn recovery_keeps_something() {
    let with = |change: fn(Recovery) -> Recovery| {
        root(|namespace| namespace).recovery(change(Recovery::default()))
    };
    assert_eq!(wrong(with(|it| it)), None);
    let least: fn(Recovery) -> Recovery = |it| {
        it.max_disconnection(Duration::from_millis(1))
            .max_events(1)
            .max_bytes(1_000_000)
            .max_sockets(1)
            .max_socket_bytes(1)
    };
    assert_eq!(wrong(with(least)), None);
    let too_little: [fn(Recovery) -> Recovery; 5] = [
        |it| it.max_disconnection(Duration::ZERO),
        |it| it.max_events(0),
        |it| it.max_bytes(999_999),
        |it| it.max_sockets(0),
        |it| it.max_socket_bytes(0),
    ];
    for change in too_little {
        check(with(change), "recovery", "must be over 0");
    }
}
