use wasm_bindgen_test::wasm_bindgen_test;

use super::*;

#[wasm_bindgen_test(unsupported = test)]
fn addresses_that_can_be_called() {
    for (url, expect) in [
        ("https://api.example.com", true),
        ("https://api.example.com/hook?a=b", true),
        ("http://127.0.0.1:5000/hook", true),
        ("", false),
        ("https://", false),
        ("https:///hook", false),
        ("api.example.com/hook", false),
        ("ftp://example.com", false),
        ("https://name:password@example.com", false),
        ("https://example.com/a b", false),
        ("https://exämple.com/", false),
    ] {
        assert_eq!(is_address(url), expect, "{url}");
    }
}

fn check(webhook: Webhook, option: Option<&str>) {
    let found = webhook.check().err().map(|(option, _)| option);
    assert_eq!(found, option, "{webhook:?}");
}

#[wasm_bindgen_test(unsupported = test)]
fn options_that_cannot_be_served() {
    let webhook = || Webhook::new("https://api.example.com");
    check(webhook(), None);
    check(Webhook::new("api.example.com"), Some("webhook"));
    let millis = Duration::from_millis;
    check(webhook().time_limit(Duration::ZERO), Some("time_limit"));
    check(webhook().time_limit(millis(25_000)), None);
    check(webhook().time_limit(millis(25_001)), Some("time_limit"));
    check(webhook().in_flight(0, 1, 1), Some("in_flight"));
    check(webhook().in_flight(1, 1, 1), None);
    check(webhook().in_flight(2, 1, 2), Some("in_flight"));
    check(webhook().in_flight(1, 2, 1), Some("in_flight"));
    check(webhook().max_answer(0), Some("max_answer"));
    let one = || webhook().in_flight(1, 1, 1);
    check(one().max_answer(8 << 20), None);
    check(one().max_answer((8 << 20) + 1), Some("max_answer"));
    // They have 32 MiB together.
    check(webhook().max_answer(1 << 20), None);
    check(webhook().max_answer((1 << 20) + 1), Some("in_flight"));
}
