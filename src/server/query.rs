//! The query of a URL: a small reader, for a URL parser would cost more wasm
//! than the rest of the front together.

/// The path and the query of a URL, without scheme, host and fragment.
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

/// Scheme and host of a URL, as an `Origin` header has them.
pub(crate) fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url
        .char_indices()
        .skip(host)
        .find(|(_, c)| matches!(c, '/' | '?' | '#'))
        .map_or(url.len(), |(at, _)| at);
    url.get(..end).unwrap_or(url)
}

/// The value of the parameter of this name, the last if there are several.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    parameters(query)
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value)
        .last()
}

/// All parameters, decoded, in order.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> + '_ {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
}

/// Decodes `+` and `%XX`. What is no such thing stays as it is, and what is no
/// UTF-8 is replaced, as browsers do it.
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
