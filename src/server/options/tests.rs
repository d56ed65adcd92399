use wasm_bindgen_test::wasm_bindgen_test;

use super::*;
use crate::App;
use crate::api::engine::Engine;
use crate::api::{Recovery, Server};

/// Returns which option is wrong, and the remedy.
fn wrong(engine: Engine) -> Option<(&'static str, String)> {
    let error = engine.options.check().err()?;
    // Whoever reads it knows which server, which option and what to do.
    assert_eq!(
        error.to_string(),
        format!(
            "dormouse: {}: option `{}`: {}",
            engine.options.path, error.option, error.remedy
        )
    );
    Some((error.option, error.remedy))
}

fn check(engine: Engine, option: &str, remedy: &str) {
    let (wrong, tells) = wrong(engine).unwrap_or_else(|| panic!("{option} is right"));
    assert_eq!(wrong, option);
    assert!(tells.contains(remedy), "{option}: {tells}");
}

fn fine(engine: Engine) {
    assert_eq!(wrong(engine), None);
}

const MILLISECOND: Duration = Duration::from_millis(1);

#[wasm_bindgen_test(unsupported = test)]
fn the_defaults_can_be_served() {
    fine(Engine::new());
    let options = Engine::new().options;
    assert_eq!(options.path, "/engine.io/");
    assert_eq!(options.settings.ping_interval, Duration::from_secs(25));
    assert_eq!(options.settings.ping_timeout, Duration::from_secs(20));
    assert_eq!(options.settings.upgrade_timeout, Duration::from_secs(10));
    assert_eq!(options.settings.max_payload, 1_000_000);
    assert_eq!(options.compression, Some(1024));
    assert_eq!(options.origins, Origins::Same);
    assert_eq!(options.cookie, None);
    assert!(options.revision_3 && !options.in_order && !options.credentials);
}

#[wasm_bindgen_test(unsupported = test)]
fn path() {
    for path in [
        "/engine.io/",
        "/engine.io",
        "/e",
        "/a/b_c-d.e~0/",
        "/engine.io///",
    ] {
        fine(Engine::new().path(path));
    }
    assert_eq!(Engine::new().path("/x").options.path, "/x/");
    for path in [
        "",
        "/",
        "//",
        "engine.io",
        "/!x",
        "/a b",
        "/a?b",
        "/a#b",
        "/a%20b",
        "/a+b",
        "/a&b",
        "/ä",
        "https://a.org/x",
    ] {
        check(Engine::new().path(path), "path", "such as \"/engine.io/\"");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn ping_interval() {
    let engine = |interval| Engine::new().ping_interval(interval);
    check(
        engine(Duration::ZERO),
        "ping_interval",
        "over 0 and at most 90 s",
    );
    fine(engine(MILLISECOND));
    fine(engine(LONGEST_PING_INTERVAL - MILLISECOND));
    fine(engine(LONGEST_PING_INTERVAL));
    let longer = LONGEST_PING_INTERVAL + MILLISECOND;
    check(engine(longer), "ping_interval", "over 0 and at most 90 s");
    check(
        engine(Duration::MAX),
        "ping_interval",
        "over 0 and at most 90 s",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn max_rows() {
    check(Engine::new().max_rows(0), "max_rows", "at least 2");
    check(Engine::new().max_rows(1), "max_rows", "at least 2");
    fine(Engine::new().max_rows(2));
    fine(Engine::new().max_rows(u32::MAX));
}

#[wasm_bindgen_test(unsupported = test)]
fn timeouts() {
    check(
        Engine::new().ping_timeout(Duration::ZERO),
        "ping_timeout",
        "20 s",
    );
    fine(Engine::new().ping_timeout(MILLISECOND));
    check(
        Engine::new().upgrade_timeout(Duration::ZERO),
        "upgrade_timeout",
        "10 s",
    );
    fine(Engine::new().upgrade_timeout(MILLISECOND));
}

#[wasm_bindgen_test(unsupported = test)]
fn max_payload() {
    let engine = |bytes: usize| {
        Engine::new()
            .max_buffered(usize::MAX)
            .max_unproven(usize::MAX)
            .max_payload(bytes)
    };
    check(engine(0), "max_payload", "over 0 and at most 32 MiB");
    fine(engine(1));
    fine(engine(LARGEST_PAYLOAD - 1));
    fine(engine(LARGEST_PAYLOAD));
    check(
        engine(LARGEST_PAYLOAD + 1),
        "max_payload",
        "over 0 and at most 32 MiB",
    );
    check(
        engine(usize::MAX),
        "max_payload",
        "over 0 and at most 32 MiB",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn max_buffered() {
    let engine = |bytes| Engine::new().max_payload(1000).max_buffered(bytes);
    check(engine(0), "max_buffered", "at least max_payload");
    check(engine(999), "max_buffered", "at least max_payload");
    fine(engine(1000));
    fine(engine(1001));
}

#[wasm_bindgen_test(unsupported = test)]
fn max_memory() {
    let engine = |bytes| Engine::new().max_memory(bytes);
    check(engine(0), "max_memory", "at least twice max_payload");
    check(
        engine(1_999_999),
        "max_memory",
        "at least twice max_payload",
    );
    fine(engine(2_000_000));
    fine(engine(LARGEST_MEMORY));
    check(engine(LARGEST_MEMORY + 1), "max_memory", "at most 100 MiB");
    // The default makes room for two messages.
    let default = |max_payload| {
        let options = Engine::new().max_payload(max_payload).options;
        options.max_memory()
    };
    assert_eq!(default(1_000_000), MEMORY);
    assert_eq!(default(16 << 20), MEMORY);
    assert_eq!(default((16 << 20) + 1), MEMORY + 2);
    assert_eq!(default(LARGEST_PAYLOAD), 64 << 20);
}

#[wasm_bindgen_test(unsupported = test)]
fn max_unproven() {
    let engine = |bytes| Engine::new().max_payload(1000).max_unproven(bytes);
    check(engine(0), "max_unproven", "at least twice max_payload");
    check(engine(1999), "max_unproven", "at least twice max_payload");
    fine(engine(2000));
    fine(engine(2001));
}

#[wasm_bindgen_test(unsupported = test)]
fn transports() {
    check(
        Engine::new().transports(&[]),
        "transports",
        "Transport::Polling",
    );
    for one in [Transport::Polling, Transport::WebSocket] {
        let engine = Engine::new().transports(&[one]);
        assert!(engine.options.takes(one));
        // There is nothing to upgrade to.
        let may = engine.options.session_settings().allow_upgrades;
        assert_eq!(may, one == Transport::WebSocket);
        fine(engine);
    }
    assert!(Engine::new().options.session_settings().allow_upgrades);
    let engine = Engine::new().allow_upgrades(false);
    assert!(!engine.options.session_settings().allow_upgrades);
}

#[wasm_bindgen_test(unsupported = test)]
fn origins() {
    for origin in [
        "https://a.org",
        "http://localhost:8787",
        "capacitor://localhost",
        "wss://a.org",
        "file://",
        "*",
    ] {
        fine(Engine::new().origins(origin));
        fine(Engine::new().origins(origin.to_owned()));
    }
    fine(Engine::new().origins(["https://a.org", "https://b.org"]));
    fine(Engine::new().origins([]));
    for wrong in [
        "a.org",
        "https://",
        "://a.org",
        "https://a.org/",
        "https://a.org/x",
        "https://*.a.org",
        "",
        "null",
        "file",
        "file:///x",
        "https://a.org?",
        "https://a b",
    ] {
        check(
            Engine::new().origins(["https://a.org", wrong]),
            "origins",
            &format!("\"{wrong}\" is not an origin"),
        );
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn origins_can_come_from_the_configuration() {
    let owned =
        |origins: &[&str]| -> Vec<String> { origins.iter().map(|it| (*it).to_owned()).collect() };
    for (origins, expect) in [
        (&[][..], Origins::Unchecked),
        (&["*"], Origins::Any),
        (&["https://a.org"], Origins::from("https://a.org")),
        (
            &["https://a.org", "app://b"],
            ["https://a.org", "app://b"].into(),
        ),
    ] {
        assert_eq!(Origins::from(owned(origins)), expect);
        assert_eq!(Origins::from(&*owned(origins)), expect);
    }
    // One that stands for all cannot stand among others.
    check(
        Engine::new().origins(owned(&["https://a.org", "*"])),
        "origins",
        "\"*\" is not an origin",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn credentials() {
    fine(Engine::new().credentials(true));
    fine(Engine::new().credentials(true).origins("*"));
    fine(Engine::new().credentials(true).origins("https://a.org"));
    check(
        Engine::new().credentials(true).origins([]),
        "credentials",
        "drop one of them",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn cookie() {
    fine(Engine::new().cookie("io"));
    fine(Engine::new().cookie(Cookie::default()));
    assert_eq!(
        Cookie::default().attributes,
        "Path=/; HttpOnly; SameSite=Lax"
    );
    for name in ["", "a b", "a=b", "a;b", "ä", "a\n"] {
        check(
            Engine::new().cookie(name),
            "cookie",
            "its name may hold letters",
        );
    }
    for attributes in ["Path=/\r\nX: y", "Path=/\0", "Path=ä"] {
        let cookie = Cookie {
            attributes: attributes.to_owned(),
            ..Cookie::default()
        };
        check(Engine::new().cookie(cookie), "cookie", "its attributes");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn placement() {
    check(
        Engine::new().placement(Placement::Shards(0)),
        "placement",
        "a number over 0",
    );
    fine(Engine::new().placement(Placement::Shards(1)));
    fine(Engine::new().placement(Placement::PerSession));

    let spread = |objects| Engine::new().placement(Placement::spread(objects));
    check(spread(0), "placement", "over 0 and at most 1000000");
    let far = Placement::spread(2).location("Europe");
    check(
        Engine::new().placement(far),
        "placement",
        "write one of wnam, ",
    );
    let hubs = |hubs| Server::new().placement(Placement::spread(2).hubs(hubs));
    let recovering = |hubs: Server| hubs.recovery(Recovery::default());
    let find = |server: Server| {
        let app = App::from(server.namespace("/", |namespace| namespace));
        app.check().map_err(|error| error.to_string())
    };
    let wrong = |what: &str| Err(format!("dormouse: /socket.io/: option {what}"));
    for number in [0, 257] {
        let what = "`placement`: hubs takes a number over 0 and at most 256";
        assert_eq!(find(hubs(number)), wrong(what));
    }
    assert_eq!(find(hubs(256)), Ok(()));
    assert_eq!(find(recovering(hubs(1))), Ok(()));
    let what = "`hubs`: with recovery, each namespace has one hub, which logs its events; leave \
                hubs out, or recovery";
    assert_eq!(find(recovering(hubs(2))), wrong(what));
    // Sessions of Engine.IO have nothing in common that many objects could share.
    let error = App::from(spread(2)).check().unwrap_err();
    assert_eq!(error.option(), "placement");
    assert!(error.remedy().contains("use Placement::Shards"));
    let server = Server::new().placement(Placement::spread(2).capacity(10));
    let served = App::from(server.namespace("/", |namespace| namespace));
    assert_eq!(served.check().map_err(|error| error.to_string()), Ok(()));
}

#[wasm_bindgen_test(unsupported = test)]
fn two_servers_cannot_share_a_path() {
    let app = App::new()
        .engine(Engine::new())
        .engine(Engine::new().path("/engine.io"));
    let error = crate::api::app::install(app).unwrap_err();
    assert_eq!(
        error.to_string(),
        "dormouse: /engine.io/: option `path`: two servers share it; give each its own"
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn rate_limits() {
    let none = RateLimit::none();
    fine(Engine::new().rate_limit(none).address_rate_limit(none));
    fine(Engine::new().rate_limit(none.packets(1, 1).joins(1, 1)));
    fine(Engine::new().address_rate_limit(none.handshakes(1, 1).bytes(1, 1_000_000)));
    for limit in [
        none.packets(0, 1),
        none.packets(1, 0),
        none.bytes(0, 1_000_000),
        none.joins(0, 0),
    ] {
        let remedy = "must be over 0, per second and at once";
        check(Engine::new().rate_limit(limit), "rate_limit", remedy);
        let engine = Engine::new().address_rate_limit(limit);
        check(engine, "address_rate_limit", remedy);
    }
    let remedy = "at least max_payload at once";
    let engine = |burst| {
        Engine::new()
            .max_payload(1_000)
            .rate_limit(none.bytes(1, burst))
    };
    check(engine(999), "rate_limit", remedy);
    fine(engine(1_000));
    check(
        Engine::new().rate_limit(none.handshakes(1, 1)),
        "rate_limit",
        "limit `handshakes` in address_rate_limit",
    );
}

#[wasm_bindgen_test(unsupported = test)]
fn where_a_client_connects_from_is_asked_only_if_it_matters() {
    let none = RateLimit::none();
    assert!(!Engine::new().options.needs_networks());
    let limited = Engine::new().address_rate_limit(none.packets(1, 1));
    assert!(limited.options.needs_networks());
    let decided = Engine::new().on_overrun(|_| OnOverrun::Drop);
    assert!(decided.options.needs_networks());
}
