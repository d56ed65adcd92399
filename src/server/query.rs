//! A small reader for the path and query of a URL: a URL parser would cost more wasm
//! than the rest of the front together.

use core::cmp::Ordering;

use dormouse_proto::engine::Revision;

/// Returns the path and the query of a URL, without scheme, host and fragment.
pub(crate) fn split(url: &str) -> (&str, &str) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
    let path = before
        .find('/')
        .and_then(|at| before.get(at..))
        .unwrap_or("/");
    (path, query)
}

/// The parameters that the protocol knows, read in one go. Of several values, the
/// last one counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) transport: Option<String>,
    pub(crate) sid: Option<String>,
    pub(crate) eio: Option<String>,
    pub(crate) j: Option<String>,
    pub(crate) b64: Option<String>,
    /// The time at the client, which keeps caches from answering.
    pub(crate) t: Option<String>,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in parameters(query) {
            let known = match &*name {
                "transport" => &mut parsed.transport,
                "sid" => &mut parsed.sid,
                "EIO" => &mut parsed.eio,
                "j" => &mut parsed.j,
                "b64" => &mut parsed.b64,
                "t" => &mut parsed.t,
                _ => continue,
            };
            *known = Some(value);
        }
        parsed
    }

    /// Returns the revision that a request names; `Some(None)` if we do not speak it.
    ///
    /// Some clients leave `EIO` out, such as that for Swift before 15.2. They speak
    /// revision 3, and the only ones to send `b64`.
    pub(crate) fn revision(&self) -> Option<Option<Revision>> {
        match (&self.eio, &self.b64) {
            (Some(eio), _) => Some(Revision::from_query(eio)),
            (None, Some(_)) => Some(Some(Revision::V3)),
            (None, None) => None,
        }
    }

    /// Returns the session that a request is for: none in a handshake, which may
    /// leave it empty.
    pub(crate) fn session(&self) -> Option<&str> {
        self.sid.as_deref().filter(|sid| !sid.is_empty())
    }
}

/// Returns the value of a parameter; the last one if there are several.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    parameters(query)
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .last()
}

/// Returns all parameters, decoded and in order.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
}

/// Drops the longest parameters of a URL, of equals the last, until it has at most
/// `limit` bytes or no parameter. Returns the names of those dropped, in their order.
pub(crate) fn shorten(url: &mut String, limit: usize) -> Vec<String> {
    let Some((before, query)) = url.split_once('?').filter(|_| url.len() > limit) else {
        return Vec::new();
    };
    let (longest, mut few) = longest_kept(query, url.len() - limit);
    let mut shortened = before.to_owned();
    let mut dropped = Vec::new();
    let mut separator = '?';
    for pair in query.split('&') {
        let is_kept = match pair.len().cmp(&longest) {
            Ordering::Less => true,
            Ordering::Equal => few > 0,
            Ordering::Greater => false,
        };
        if is_kept {
            few -= usize::from(pair.len() == longest);
            shortened.push(core::mem::replace(&mut separator, '&'));
            shortened.push_str(pair);
        } else {
            dropped.extend(parameters(pair).map(|(name, _)| name));
        }
    }
    *url = shortened;
    dropped
}

/// Returns the length of the longest parameters that are kept if a query is to have so
/// many bytes less, and how many of them. It takes as many steps as the query has bytes.
fn longest_kept(query: &str, mut excess: usize) -> (usize, usize) {
    let mut counts = vec![0; query.len() + 1];
    for pair in query.split('&') {
        if let Some(count) = counts.get_mut(pair.len()) {
            *count += 1;
        }
    }
    for (length, count) in counts.into_iter().enumerate().rev() {
        // With the character before it.
        let dropped = excess.div_ceil(length + 1).min(count);
        excess = excess.saturating_sub(dropped * (length + 1));
        if excess == 0 && count > 0 {
            return (length, count - dropped);
        }
    }
    (0, 0)
}

/// Decodes `+` and `%XX`. Invalid escapes stay as they are, and invalid UTF-8 is
/// replaced, as browsers do it.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut ahead = rest.clone();
                match (ahead.next().and_then(hex), ahead.next().and_then(hex)) {
                    (Some(high), Some(low)) => {
                        rest = ahead;
                        high << 4 | low
                    }
                    _ => b'%',
                }
            }
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test(unsupported = test)]
    fn urls_have_a_path_and_a_query() {
        for (url, path, query) in [
            ("https://a.org/engine.io/?EIO=4", "/engine.io/", "EIO=4"),
            ("https://a.org/engine.io/", "/engine.io/", ""),
            ("https://a.org", "/", ""),
            ("https://a.org?EIO=4", "/", "EIO=4"),
            ("https://a.org/?", "/", ""),
            ("http://localhost:8787/x?y", "/x", "y"),
            ("http://[::1]:8787/x?y", "/x", "y"),
            ("https://a.org/x?y=?z", "/x", "y=?z"),
            (
                "https://a.org/x?to=https://b.org/y",
                "/x",
                "to=https://b.org/y",
            ),
            ("https://a.org/x?y#z?", "/x", "y"),
            ("https://a.org/x#y?z", "/x", ""),
            ("https://a.org/x/y//z", "/x/y//z", ""),
            ("/x?y", "/x", "y"),
            ("", "/", ""),
        ] {
            assert_eq!(split(url), (path, query), "{url}");
        }
    }

    /// Queries, and what URLSearchParams makes of them.
    const QUERIES: [(&str, &[(&str, &str)]); 19] = [
        ("", &[]),
        ("&&", &[]),
        (
            "EIO=4&transport=polling",
            &[("EIO", "4"), ("transport", "polling")],
        ),
        ("a", &[("a", "")]),
        ("a=", &[("a", "")]),
        ("=a", &[("", "a")]),
        ("=", &[("", "")]),
        ("a=b=c", &[("a", "b=c")]),
        ("a=1&&b=2&", &[("a", "1"), ("b", "2")]),
        ("a=1&b=2&a=3", &[("a", "1"), ("b", "2"), ("a", "3")]),
        ("a+b=c+d%2B", &[("a b", "c d+")]),
        ("%61=%62%3D%26", &[("a", "b=&")]),
        ("a=%e2%82%AC€", &[("a", "€€")]),
        (
            "a=%&b=%4&c=%zz&d=%%41",
            &[("a", "%"), ("b", "%4"), ("c", "%zz"), ("d", "%A")],
        ),
        ("a=%+1&b=%-1", &[("a", "% 1"), ("b", "%-1")]),
        ("a=%€", &[("a", "%€")]),
        ("a=%ff%e2%82b", &[("a", "\u{fffd}\u{fffd}b")]),
        ("a=%ed%a0%80", &[("a", "\u{fffd}\u{fffd}\u{fffd}")]),
        ("a=%00%EF%BB%BFb", &[("a", "\0\u{feff}b")]),
    ];

    #[wasm_bindgen_test(unsupported = test)]
    fn parameters_are_decoded_in_order() {
        for (query, expect) in QUERIES {
            let expect: Vec<_> = expect
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(parameters(query).collect::<Vec<_>>(), expect, "{query}");
        }
    }

    #[cfg(target_arch = "wasm32")]
    #[wasm_bindgen_test]
    fn parameters_are_those_that_the_browser_sees() {
        use crate::in_browser::js;

        for (query, _) in QUERIES {
            let ours: Vec<_> = parameters(query).collect();
            let browsers = js("return JSON.stringify([...new URLSearchParams(x)]);", query);
            let ours = serde_json::to_string(&ours).unwrap();
            assert_eq!(Some(ours), browsers.as_string(), "{query}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn long_urls_lose_their_longest_parameters() {
        let url = "https://a.org/x?EIO=4&token=123456789&t=1&b%61r=12345678&z=12";
        assert_eq!(url.len(), 61);
        for (limit, expect, names) in [
            (61, url, &[][..]),
            (62, url, &[]),
            (
                60,
                "https://a.org/x?EIO=4&t=1&b%61r=12345678&z=12",
                &["token"],
            ),
            (
                45,
                "https://a.org/x?EIO=4&t=1&b%61r=12345678&z=12",
                &["token"],
            ),
            (44, "https://a.org/x?EIO=4&t=1&z=12", &["token", "bar"]),
            (29, "https://a.org/x?t=1&z=12", &["EIO", "token", "bar"]),
            (23, "https://a.org/x?t=1", &["EIO", "token", "bar", "z"]),
            (18, "https://a.org/x", &["EIO", "token", "t", "bar", "z"]),
            (0, "https://a.org/x", &["EIO", "token", "t", "bar", "z"]),
        ] {
            let mut shortened = url.to_owned();
            assert_eq!(shorten(&mut shortened, limit), names, "{limit}");
            assert_eq!(shortened, expect, "{limit}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn of_equally_long_parameters_the_last_go() {
        let mut url = "/?a=1&b=2&&c=3".to_owned();
        assert_eq!(shorten(&mut url, 13), ["c"]);
        assert_eq!(url, "/?a=1&b=2&");
        let mut url = "/?".to_owned();
        assert_eq!(shorten(&mut url, 1), [""; 0]);
        assert_eq!(url, "/");
        let mut url = "/long/path".to_owned();
        assert_eq!(shorten(&mut url, 1), [""; 0]);
        assert_eq!(url, "/long/path");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_parameters_of_the_protocol_are_read_at_once() {
        let some = |value: &str| Some(value.to_owned());
        let query = "EIO=3&x=y&transport=polling&EIO=4&%73id=a%2Bb&j=0&b64=1&t=z&eio=5";
        let expect = Query {
            transport: some("polling"),
            sid: some("a+b"),
            eio: some("4"),
            j: some("0"),
            b64: some("1"),
            t: some("z"),
        };
        assert_eq!(Query::parse(query), expect);
        assert_eq!(Query::parse(query).session(), Some("a+b"));
        assert_eq!(Query::parse("sid=&j").session(), None);
        assert_eq!(Query::parse("sid=&j").j, some(""));
        assert_eq!(Query::parse(""), Query::default());
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn the_revision_is_said_or_follows_from_b64() {
        let (three, four) = (Some(Some(Revision::V3)), Some(Some(Revision::V4)));
        for (query, revision) in [
            ("EIO=4", four),
            ("EIO=3", three),
            ("EIO=2", three),
            ("EIO=4&b64=1", four),
            ("b64=1", three),
            ("b64=", three),
            ("EIO=&b64=1", Some(None)),
            ("EIO=5", Some(None)),
            ("transport=polling&t=1", None),
            ("", None),
        ] {
            assert_eq!(Query::parse(query).revision(), revision, "{query}");
        }
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn of_several_values_the_last_counts() {
        for (query, name, expect) in [
            ("sid=1", "sid", Some("1")),
            ("sid=1&sid=2", "sid", Some("2")),
            ("sid=1&sid=", "sid", Some("")),
            ("sid=1&sid", "sid", Some("")),
            ("sid=1&%73id=2", "sid", Some("2")),
            ("Sid=1", "sid", None),
            ("xsid=1&sidx=2", "sid", None),
            ("", "sid", None),
        ] {
            assert_eq!(parameter(query, name).as_deref(), expect, "{query}");
        }
    }
}
