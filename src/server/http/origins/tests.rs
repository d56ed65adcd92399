use wasm_bindgen_test::wasm_bindgen_test;
#[cfg(target_arch = "wasm32")]
use web_sys::Request;

use super::*;

#[wasm_bindgen_test(unsupported = test)]
fn origins_are_compared_by_scheme_host_and_port() {
    let here = "https://example.com/engine.io/?EIO=4";
    let local = "http://localhost:8787/engine.io/?EIO=4";
    for (origins, url, origin, expect) in [
        (Origins::Same, here, "https://example.com", true),
        (Origins::Same, here, "http://example.com", false),
        (Origins::Same, here, "https://example.com:8443", false),
        (Origins::Same, here, "https://example.com.evil.org", false),
        (Origins::Same, here, "https://sub.example.com", false),
        (Origins::Same, here, "https://example.co", false),
        (Origins::Same, here, "null", false),
        (Origins::Same, here, "", false),
        (Origins::Same, local, "http://localhost:8787", true),
        (Origins::Same, local, "http://localhost", false),
        (Origins::Same, local, "http://127.0.0.1:8787", false),
        // Swift sends the WebSocket's own URL, others a whole address.
        (Origins::Same, here, "wss://example.com", true),
        (Origins::Same, here, "ws://example.com", false),
        (Origins::Same, local, "ws://localhost:8787", true),
        (Origins::Same, here, "https://example.com/", true),
        (
            Origins::Same,
            here,
            "https://example.com/x?y=https://a.org#z",
            true,
        ),
        (Origins::Same, here, "https://example.com:443/x", true),
        (Origins::Same, here, "https://example.com:/", false),
        (Origins::Same, here, "https://example.com@evil.org/", false),
        (
            Origins::Same,
            here,
            "https://evil.org/https://example.com",
            false,
        ),
        (
            Origins::Same,
            here,
            "https://evil.org?://example.com",
            false,
        ),
        (Origins::Same, here, "https://example.com\\.evil.org", false),
        (Origins::Same, here, "file://", false),
        (Origins::Same, "file:///x", "null", false),
        ("file://".into(), here, "file://", true),
        ("file://".into(), here, "file:///x", true),
        ("file://".into(), here, "null", false),
        (
            ["https://a.org", "file://"].into(),
            here,
            "wss://a.org/",
            true,
        ),
        ("*".into(), here, "file://", true),
        // Who does not write as browsers do is understood all the same.
        (Origins::Same, here, "https://EXAMPLE.com:443", true),
        (Origins::Same, here, "https://example.com:80", false),
        (
            Origins::Same,
            "https://example.com:443/",
            "https://example.com",
            true,
        ),
        (Origins::Same, "http://[::1]/", "http://[::1]:80", true),
        (Origins::Same, "http://[::80]/", "http://[::80]", true),
        ("https://a.org".into(), here, "https://a.org", true),
        ("https://a.org".into(), here, "https://example.com", false),
        ("https://A.org:443".into(), here, "https://a.org", true),
        ("http://a.org:80".into(), here, "http://a.org", true),
        ("http://a.org:443".into(), here, "http://a.org", false),
        ("app://a:443".into(), here, "app://a", false),
        (["https://a.org", "app://b"].into(), here, "app://b", true),
        (["https://a.org", "app://b"].into(), here, "app://c", false),
        ("*".into(), here, "https://a.org", true),
        ("*".into(), here, "null", true),
        ([].into(), here, "https://a.org", true),
    ] {
        let options = Options {
            origins: origins.clone(),
            ..Options::default()
        };
        assert_eq!(
            is_admitted(&options, origin, url),
            expect,
            "{origins:?} {url} {origin}"
        );
    }
}

#[cfg(target_arch = "wasm32")]
mod in_browser {
    use super::*;
    use crate::in_browser::request;
    use crate::log::Log;

    const URL: &str = "http://internal:8787/engine.io/?EIO=4";

    #[wasm_bindgen_test]
    fn a_proxy_is_believed_where_it_is_trusted() {
        for (headers, expect) in [
            (&[][..], URL),
            (&[("x-forwarded-proto", "https")], "https://internal:8787"),
            (&[("x-forwarded-host", "a.org")], "http://a.org"),
            (
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-host", "a.org"),
                ],
                "https://a.org",
            ),
            (
                &[
                    ("x-forwarded-proto", "https, http"),
                    ("x-forwarded-host", "a.org:8443 , b.org"),
                ],
                "https://a.org:8443",
            ),
            (&[("x-forwarded-proto", ""), ("x-forwarded-host", " ")], URL),
        ] {
            let request = request("GET", URL, headers);
            let trusting = Options {
                trust_proxy: true,
                ..Options::default()
            };
            let trusted = own(&trusting, &request);
            assert_eq!(
                Origin::parse(&trusted),
                Origin::parse(expect),
                "{headers:?}"
            );
            assert_eq!(is_secure(&trusting, &request), expect.starts_with("https:"));
            assert_eq!(own(&Options::default(), &request), URL);
        }
    }

    #[wasm_bindgen_test]
    fn a_script_says_where_it_is_loaded_from() {
        const SITE: &str = "sec-fetch-site";
        let any = || Origins::from("*");
        let those = || Origins::from("https://a.org");
        for (origins, jsonp, site, is_jsonp, expect) in [
            // Clients that are not browsers, and browsers of old.
            (Origins::Same, false, None, false, true),
            (Origins::Same, false, None, true, false),
            (Origins::Same, true, None, true, true),
            (those(), false, None, false, true),
            (those(), false, None, true, false),
            (those(), true, None, true, true),
            (any(), false, None, true, true),
            (Origins::Unchecked, false, None, true, true),
            // Browsers.
            (Origins::Same, false, Some("same-origin"), true, true),
            (Origins::Same, false, Some("same-origin"), false, true),
            (Origins::Same, false, Some("none"), false, true),
            (Origins::Same, false, Some("same-site"), false, false),
            (Origins::Same, false, Some("cross-site"), false, false),
            (Origins::Same, true, Some("cross-site"), true, false),
            (those(), true, Some("same-site"), true, false),
            (those(), false, Some("same-origin"), true, true),
            (any(), false, Some("cross-site"), true, true),
            (Origins::Unchecked, false, Some("cross-site"), true, true),
        ] {
            let headers: Vec<_> = site.map(|site| (SITE, site)).into_iter().collect();
            let options = Options {
                origins,
                jsonp,
                log: Log::off(),
                ..Options::default()
            };
            let checked = check(&options, &request("GET", URL, &headers), is_jsonp);
            assert_eq!(checked.is_ok(), expect, "{options:?} {site:?} {is_jsonp}");
        }
    }

    #[wasm_bindgen_test]
    fn an_origin_counts_more_than_the_site() {
        let options = Options {
            origins: "https://a.org".into(),
            log: Log::off(),
            ..Options::default()
        };
        for (origin, expect) in [("https://a.org", true), ("https://b.org", false)] {
            let headers = [("origin", origin), ("sec-fetch-site", "cross-site")];
            let checked = check(&options, &request("GET", URL, &headers), true);
            assert_eq!(checked.is_ok(), expect, "{origin}");
        }
    }
}

/// A request that says where it comes from. Cloudflare has passed it on, or has not.
#[cfg(target_arch = "wasm32")]
fn from(connecting: Option<&str>, forwarded: Option<&str>, is_on_cloudflare: bool) -> Incoming {
    let request = Request::new_with_str("https://example.com/").unwrap();
    let headers = request.headers();
    for (name, value) in [
        ("cf-connecting-ip", connecting),
        ("x-forwarded-for", forwarded),
    ] {
        if let Some(value) = value {
            headers.set(name, value).unwrap();
        }
    }
    // Elsewhere there may be a note, but not of a data centre.
    let cf = js_sys::Object::new();
    if is_on_cloudflare {
        Reflect::set(&cf, &"colo".into(), &"FRA".into()).unwrap();
    }
    Reflect::set(&request, &"cf".into(), &cf).unwrap();
    Incoming::new(request)
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test]
fn clients_are_known_by_the_address_that_they_cannot_choose() {
    const PROXY: Option<&str> = Some("192.0.2.9");
    const CLIENT: Option<&str> = Some("192.0.2.1");
    let direct = Options::default();
    let proxied = Options {
        trust_proxy: true,
        ..Options::default()
    };
    for (connecting, forwarded, is_on_cloudflare, by_default, behind_a_proxy) in [
        (None, None, false, None, None),
        (None, CLIENT, false, None, CLIENT),
        (PROXY, None, true, PROXY, PROXY),
        // Cloudflare has added the proxy's address, or has not.
        (PROXY, Some("192.0.2.1, 192.0.2.9"), true, PROXY, CLIENT),
        (PROXY, CLIENT, true, PROXY, CLIENT),
        (PROXY, PROXY, true, PROXY, PROXY),
        // The client had written one.
        (
            PROXY,
            Some("10.0.0.1,192.0.2.1,192.0.2.9"),
            true,
            PROXY,
            CLIENT,
        ),
        // The client is where the proxy is.
        (
            PROXY,
            Some("10.0.0.1, 192.0.2.9, 192.0.2.9"),
            true,
            PROXY,
            PROXY,
        ),
        // Cloudflare is not in front: the client has written its own address, so that
        // the proxy's entry would be passed over.
        (CLIENT, Some("10.0.0.1, 192.0.2.1"), false, CLIENT, CLIENT),
        // With a port, or without what is an address.
        (None, Some("192.0.2.1:4711"), false, None, CLIENT),
        (PROXY, Some("unknown"), true, PROXY, PROXY),
        (PROXY, Some("192.0.2.1, "), true, PROXY, PROXY),
        (Some("unknown"), Some("unknown"), true, None, None),
        (Some(""), Some(","), true, None, None),
    ] {
        let request = from(connecting, forwarded, is_on_cloudflare);
        for (options, expect) in [(&direct, by_default), (&proxied, behind_a_proxy)] {
            let case = format!("{connecting:?} {forwarded:?}");
            assert_eq!(address(options, &request).as_deref(), expect, "{case}");
            // What an address is limited by is the same.
            let network = network(options, &request).map(|network| network.to_string());
            assert_eq!(network.as_deref(), expect, "{case}");
            let handshake = handshake(options, &request);
            assert_eq!(handshake.address().as_deref(), expect, "{case}");
        }
    }
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test]
fn addresses_come_with_ports_too() {
    let options = Options {
        trust_proxy: true,
        ..Options::default()
    };
    for (entry, expect) in [
        ("192.0.2.1", Some("192.0.2.1")),
        ("192.0.2.1:80", Some("192.0.2.1")),
        ("2001:db8::1", Some("2001:db8::1")),
        ("[2001:db8::1]", Some("2001:db8::1")),
        ("[2001:db8::1]:80", Some("2001:db8::1")),
        ("[2001:db8::1", None),
        ("192.0.2.1:80:80", None),
        ("example.com:80", None),
        ("unix:", None),
    ] {
        let request = from(None, Some(entry), false);
        assert_eq!(address(&options, &request).as_deref(), expect, "{entry}");
    }
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test]
fn a_handshake_is_secure_if_the_client_s_own_connection_is() {
    let request = Request::new_with_str("http://example.com/").unwrap();
    let headers = request.headers();
    headers.set("x-forwarded-proto", "https").unwrap();
    let request = Incoming::new(request);
    for (trust_proxy, expect) in [(false, false), (true, true)] {
        let options = Options {
            trust_proxy,
            ..Options::default()
        };
        assert_eq!(handshake(&options, &request).is_secure(), expect);
    }
}
