use dormouse_proto::engine::ContentType;
use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

#[wasm_bindgen_test(unsupported = test)]
fn the_encoding_is_one_that_the_client_takes() {
    for (accepted, expect) in [
        ("gzip", Some("gzip")),
        ("deflate", Some("deflate")),
        ("gzip, deflate, br, zstd", Some("gzip")),
        ("deflate, gzip", Some("gzip")),
        ("br", None),
        ("identity", None),
        ("", None),
        (",", None),
        ("GZIP", Some("gzip")),
        (" gzip ;q=1", Some("gzip")),
        ("gzip;q=0.5, deflate", Some("gzip")),
        ("gzip;q=0, deflate", Some("deflate")),
        ("gzip;q=0.000, deflate; q=0.0", None),
        ("gzip; q=0.001", Some("gzip")),
        ("x-gzip", None),
        ("gzipped", None),
        ("*", Some("gzip")),
        ("*;q=0", None),
        ("br, *;q=0.1", Some("gzip")),
        ("gzip;q=0, *", Some("deflate")),
        ("*;q=0, deflate", Some("deflate")),
        ("gzip;Q=0", None),
        ("gzip;q=", Some("gzip")),
    ] {
        assert_eq!(accepted_encoding(accepted), expect, "{accepted:?}");
    }
}

fn text(reply: &Reply) -> (u16, &'static str, &str) {
    let Body::Text(body) = &reply.body else {
        panic!("text was expected");
    };
    (reply.status, reply.content_type, body)
}

#[wasm_bindgen_test(unsupported = test)]
fn refusals_have_a_code_and_a_message() {
    for (refusal, status, body) in [
        (
            RequestError::UnknownTransport,
            400,
            r#"{"code":0,"message":"Transport unknown"}"#,
        ),
        (
            RequestError::UnknownSid,
            400,
            r#"{"code":1,"message":"Session ID unknown"}"#,
        ),
        (
            RequestError::BadHandshakeMethod,
            400,
            r#"{"code":2,"message":"Bad handshake method"}"#,
        ),
        (
            RequestError::BadRequest,
            400,
            r#"{"code":3,"message":"Bad request"}"#,
        ),
        (
            RequestError::Forbidden,
            403,
            r#"{"code":4,"message":"Forbidden"}"#,
        ),
        (
            RequestError::UnsupportedProtocolVersion,
            400,
            r#"{"code":5,"message":"Unsupported protocol version"}"#,
        ),
    ] {
        assert_eq!(text(&Reply::refusal(refusal, None)), (status, JSON, body));
        let reply = Reply::from(Answer::Refused(refusal));
        assert_eq!(text(&reply), (status, JSON, body));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn a_refusal_has_the_words_of_the_application() {
    for (message, expect) in [
        ("", r#"{"code":4,"message":"Forbidden"}"#),
        ("no", r#"{"code":4,"message":"no"}"#),
        ("\"\\\n", r#"{"code":4,"message":"\"\\\n"}"#),
    ] {
        let reply = Reply::refusal(RequestError::Forbidden, Some(message.to_owned()));
        assert_eq!(text(&reply), (403, JSON, expect));
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn answers_are_what_the_protocol_says() {
    let payload = Answer::Payload(ContentType::Text, "4a".into());
    assert_eq!(
        text(&Reply::from(payload)),
        (200, "text/plain; charset=UTF-8", "4a")
    );
    let script = Answer::Payload(ContentType::Script, "___eio[0](\"6\");".into());
    assert_eq!(
        Reply::from(script).content_type,
        "text/javascript; charset=UTF-8"
    );
    assert_eq!(
        text(&Reply::from(Answer::Received)),
        (200, "text/html", "ok")
    );
    assert_eq!(Reply::from(Answer::TooLarge).status, 413);
    assert_eq!(
        text(&crate::engine::Refusal::new("no").status(503).reply()),
        (503, JSON, "\"no\"")
    );
}

/// Requests and responses, as a browser has them.
#[cfg(target_arch = "wasm32")]
mod in_browser {
    use super::*;
    use js_sys::Object;
    use web_sys::Headers;

    use crate::in_browser::{js, js_async, request};

    const URL: &str = "https://example.com/engine.io/?EIO=4";

    fn get(headers: &[(&str, &str)]) -> Incoming {
        request("GET", URL, headers)
    }

    fn reply(body: impl Into<Body<'static>>) -> Reply {
        Reply::new(200, "text/plain; charset=UTF-8", body)
    }

    /// All headers of a response, by name.
    async fn headers_of(response: &Response) -> String {
        let headers = js_async(
            "return [...x.headers].map(([name, value]) => `${name}: ${value}`).join('\\n');",
            response,
        );
        headers.await.as_string().unwrap()
    }

    async fn body_of(response: &Response) -> Vec<u8> {
        let body = js_async("return new Uint8Array(await x.arrayBuffer());", response);
        body.await.unchecked_into::<Uint8Array>().to_vec()
    }

    #[wasm_bindgen_test]
    fn headers_are_found_in_any_case() {
        let request = get(&[("X-One", "1"), ("empty", "")]);
        assert_eq!(request.header("x-one").as_deref(), Some("1"));
        assert_eq!(request.header("EMPTY").as_deref(), Some(""));
        assert_eq!(request.header("none"), None);
        assert_eq!(request.header("no name"), None);
    }

    #[wasm_bindgen_test]
    fn upgrades_are_to_websocket() {
        for (value, expect) in [("websocket", true), ("WebSocket", true), ("h2c", false)] {
            assert_eq!(is_upgrade(&get(&[("upgrade", value)])), expect);
        }
        assert!(!is_upgrade(&get(&[("connection", "upgrade")])));
    }

    #[wasm_bindgen_test]
    async fn a_response_is_what_the_reply_says() {
        let options = Options::default();
        let texts = ["", "ok", "é€😀", "\u{feff}mark", "\0\u{2028}"];
        for status in [200, 400, 401, 413, 599] {
            for body in texts {
                let mut reply = reply(body);
                reply.status = status;
                let response = respond(&options, &get(&[]), reply);
                assert_eq!(response.status(), status);
                assert_eq!(
                    headers_of(&response).await,
                    "cache-control: no-store\ncontent-type: text/plain; charset=UTF-8\n\
                     x-content-type-options: nosniff"
                );
                assert_eq!(body_of(&response).await, body.as_bytes());
            }
        }
    }

    #[wasm_bindgen_test]
    async fn bytes_arrive_as_they_are() {
        let bytes: Vec<u8> = (0..=255).collect();
        for bytes in [bytes, vec![], vec![0xff; 100_000]] {
            let options = Options {
                compression: None,
                ..Options::default()
            };
            let reply = Reply::new(200, "application/octet-stream", bytes.clone());
            let response = respond(&options, &get(&[]), reply);
            assert_eq!(body_of(&response).await, bytes);
        }
    }

    #[wasm_bindgen_test]
    async fn what_is_compressed_can_be_decompressed() {
        let options = Options::default();
        let text = "4message €😀\u{1e}".repeat(200);
        for encoding in ["gzip", "deflate"] {
            for body in [
                Body::from(text.clone()),
                Body::from(text.clone().into_bytes()),
            ] {
                let request = get(&[("accept-encoding", encoding)]);
                let response = respond(&options, &request, reply(body));
                let headers = headers_of(&response).await;
                assert!(headers.contains(&format!("content-encoding: {encoding}")));
                assert!(headers.contains("content-type: text/plain; charset=UTF-8"));
                assert!(headers.contains("cache-control: no-store"));
                let encoding = Reflect::set(&response, &"encoding".into(), &encoding.into());
                assert_eq!(encoding, Ok(true));
                let body = js_async(
                    "const body = new Uint8Array(await x.arrayBuffer());
                     const stream = new Blob([body]).stream();
                     const plain = stream.pipeThrough(new DecompressionStream(x.encoding));
                     return [body.length, await new Response(plain).text()];",
                    &response,
                );
                let body: js_sys::Array = body.await.unchecked_into();
                assert_eq!(body.get(1).as_string().as_ref(), Some(&text));
                let length = body.get(0).as_f64().unwrap() as usize;
                assert!(length < text.len() / 5, "{length}");
            }
        }
    }

    #[wasm_bindgen_test]
    async fn bodies_are_compressed_from_the_threshold_on() {
        for (threshold, length, expect) in [
            (Some(1024), 1023, false),
            (Some(1024), 1024, true),
            (Some(1024), 1025, true),
            (Some(0), 0, true),
            (None, 100_000, false),
        ] {
            let options = Options {
                compression: threshold,
                ..Options::default()
            };
            let request = get(&[("accept-encoding", "gzip")]);
            let response = respond(&options, &request, reply("a".repeat(length)));
            let headers = headers_of(&response).await;
            assert_eq!(
                headers.contains("content-encoding: gzip"),
                expect,
                "{length}"
            );
            assert_eq!(body_of(&response).await.len() == length, !expect);
        }
        let large = || reply("a".repeat(9_000));
        for request in [get(&[]), get(&[("accept-encoding", "br")])] {
            let response = respond(&Options::default(), &request, large());
            assert_eq!(body_of(&response).await.len(), 9_000);
        }
    }

    #[wasm_bindgen_test]
    async fn what_the_client_asked_counts_more_than_what_a_proxy_did() {
        let note = "x[0].cf = x[1]; return x[0];";
        let cf = |value: &str| js("return JSON.parse(x);", value);
        for (cf, header, expect) in [
            (JsValue::UNDEFINED, Some("gzip"), true),
            (cf("{}"), Some("gzip"), true),
            (cf("null"), Some("gzip"), true),
            (
                cf(r#"{"clientAcceptEncoding":""}"#),
                Some("br, gzip"),
                false,
            ),
            (
                cf(r#"{"clientAcceptEncoding":"br"}"#),
                Some("br, gzip"),
                false,
            ),
            (
                cf(r#"{"clientAcceptEncoding":"gzip"}"#),
                Some("br, gzip"),
                true,
            ),
            (cf(r#"{"clientAcceptEncoding":"deflate"}"#), None, true),
        ] {
            let headers: Vec<_> = header
                .map(|it| ("accept-encoding", it))
                .into_iter()
                .collect();
            let request = js(note, js_sys::Array::of2(get(&headers).raw(), &cf));
            let request = Incoming::new(request.unchecked_into());
            let response = respond(&Options::default(), &request, reply("a".repeat(9_000)));
            let headers = headers_of(&response).await;
            assert_eq!(
                headers.contains("content-encoding"),
                expect,
                "{cf:?} {header:?}"
            );
        }
    }

    #[wasm_bindgen_test]
    fn a_cookie_that_is_set_over_tls_stays_there() {
        let proxied = Options {
            trust_proxy: true,
            ..Options::default()
        };
        let secure = "io=sid; Path=/; Secure";
        for (options, url, cookie, expect) in [
            (
                Options::default(),
                "http://a.org/",
                "io=sid; Path=/",
                "io=sid; Path=/",
            ),
            (
                Options::default(),
                "https://a.org/",
                "io=sid; Path=/",
                secure,
            ),
            (Options::default(), "https://a.org/", secure, secure),
            (
                Options::default(),
                "https://a.org/",
                "io=sid;secure",
                "io=sid;secure",
            ),
            (
                Options::default(),
                "https://a.org/",
                "io=secure",
                "io=secure; Secure",
            ),
            (proxied, "http://a.org/", "io=sid; Path=/", secure),
        ] {
            let mut headers = Lines::default();
            let request = request("GET", url, &[("x-forwarded-proto", "https")]);
            headers.set_cookie(&options, &request, cookie);
            let mut expected = Lines::default();
            expected.set("set-cookie", expect);
            assert!(headers == expected, "{url} {cookie}");
        }
    }

    #[wasm_bindgen_test]
    async fn other_pages_are_told_what_they_may() {
        const MINE: &str = "https://a.org";
        const ALLOW: &str = "access-control-allow-origin";
        const CREDENTIALS: &str = "access-control-allow-credentials: true\n";
        let by_name = format!("{ALLOW}: {MINE}\n");
        for (origins, credentials, origin, allowed, varies) in [
            (Origins::Same, false, Some(MINE), "", false),
            (Origins::Same, false, Some("https://example.com"), "", false),
            (Origins::Same, true, Some("https://example.com"), "", false),
            ([].into(), false, Some(MINE), "", false),
            (
                "*".into(),
                false,
                Some(MINE),
                &*format!("{ALLOW}: *\n"),
                false,
            ),
            ("*".into(), false, None, "", false),
            (
                "*".into(),
                true,
                Some(MINE),
                &format!("{CREDENTIALS}{by_name}"),
                true,
            ),
            (MINE.into(), false, Some(MINE), &by_name, true),
            (MINE.into(), false, Some("https://b.org"), "", true),
            (MINE.into(), false, None, "", true),
            (
                MINE.into(),
                true,
                Some(MINE),
                &format!("{CREDENTIALS}{by_name}"),
                true,
            ),
            (MINE.into(), true, Some("https://b.org"), "", true),
            (
                ["https://b.org", MINE].into(),
                false,
                Some(MINE),
                &by_name,
                true,
            ),
        ] {
            let options = Options {
                origins: origins.clone(),
                credentials,
                ..Options::default()
            };
            let headers: Vec<_> = origin
                .map(|origin| ("origin", origin))
                .into_iter()
                .collect();
            let varies = if varies { "\nvary: Origin" } else { "" };
            // On errors too.
            for refused in [false, true] {
                let reply = match refused {
                    false => Reply::new(200, "text/html", "ok"),
                    true => Reply::refusal(RequestError::BadRequest, None),
                };
                let content_type = reply.content_type;
                let response = respond(&options, &get(&headers), reply);
                assert_eq!(
                    headers_of(&response).await,
                    format!(
                        "{allowed}cache-control: no-store\ncontent-type: {content_type}{varies}\n\
                         x-content-type-options: nosniff"
                    ),
                    "{origins:?} {credentials} {origin:?}"
                );
            }
        }
    }

    #[wasm_bindgen_test]
    async fn browsers_that_ask_first_are_answered() {
        let options = Options {
            origins: "https://a.org".into(),
            ..Options::default()
        };
        let asked = [
            ("origin", "https://a.org"),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type,x-mine"),
        ];
        let response = preflight(&options, &request("OPTIONS", URL, &asked));
        assert_eq!(response.status(), 204);
        assert_eq!(
            headers_of(&response).await,
            "access-control-allow-headers: content-type,x-mine\n\
             access-control-allow-methods: GET,POST,OPTIONS\n\
             access-control-allow-origin: https://a.org\n\
             vary: Origin"
        );
        let response = preflight(&options, &request("OPTIONS", URL, &[("origin", "null")]));
        assert_eq!(response.status(), 204);
        assert_eq!(
            headers_of(&response).await,
            "access-control-allow-methods: GET,POST,OPTIONS\nvary: Origin"
        );
    }

    #[wasm_bindgen_test]
    fn a_header_that_cannot_be_is_left_out() {
        let mut lines = Lines::default();
        lines.set("set-cookie", "io=sid; Path=/; HttpOnly; SameSite=Lax");
        lines.set("vary", "line\nfeed");
        lines.set("no name", "value");
        let headers = headers_in(&lines.init(200));
        assert_eq!(
            headers.get("set-cookie"),
            Ok(Some("io=sid; Path=/; HttpOnly; SameSite=Lax".to_owned()))
        );
        assert_eq!(headers.get("vary"), Ok(None));
    }

    fn headers_in(init: &ResponseInit) -> Headers {
        let headers = Reflect::get(init, &"headers".into()).unwrap();
        headers.unchecked_into()
    }

    #[wasm_bindgen_test]
    fn answers_that_are_alike_share_their_headers() {
        let of = |value: &str, status| {
            let mut lines = Lines::default();
            lines.set("vary", value);
            lines.init(status)
        };
        let first = of("a", 200);
        assert!(Object::is(&first, &of("a", 200)));
        for (value, status) in [("b", 200), ("a", 201), ("c", 200), ("d", 200)] {
            let other = of(value, status);
            assert!(!Object::is(&first, &other));
            assert_eq!(headers_in(&other).get("vary"), Ok(Some(value.to_owned())));
        }
        assert!(!Object::is(&first, &of("a", 200)), "few are kept");
    }
}

#[wasm_bindgen_test(unsupported = test)]
fn whoever_connects_too_often_is_told_when_to_come_back() {
    let reply = Reply::too_many(Duration::from_millis(1_001));
    let body = r#"{"message":"Too many requests"}"#;
    assert_eq!(text(&reply), (429, JSON, body));
    assert_eq!(reply.retry_after, Some(Duration::from_millis(1_001)));
}
