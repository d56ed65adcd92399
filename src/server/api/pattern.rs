//! Names of namespaces with placeholders.

/// A name such as `/room-{id}`: each `{…}` stands for one or more characters
/// other than `/`, and a last `{*…}` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Segment(String),
    Rest(String),
}

impl Pattern {
    /// Returns whether a name is a pattern.
    pub(crate) fn is_one(name: &str) -> bool {
        name.contains(['{', '}'])
    }

    /// Reads a pattern. Returns `None` if its braces do not match up, or a
    /// placeholder has no name or follows another one immediately.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = name;
        while !rest.is_empty() {
            let (text, open) = match rest.split_once('{') {
                Some((text, open)) => (text, Some(open)),
                None => (rest, None),
            };
            if text.contains('}') {
                return None;
            }
            if !text.is_empty() {
                pieces.push(Piece::Text(text.to_owned()));
            } else if !pieces.is_empty() {
                return None;
            }
            let Some(open) = open else {
                break;
            };
            let (name, after) = open.split_once('}')?;
            let piece = match name.strip_prefix('*') {
                Some(name) if after.is_empty() => Piece::Rest(name.to_owned()),
                Some(_) => return None,
                None => Piece::Segment(name.to_owned()),
            };
            if name.trim_start_matches('*').is_empty() || name.contains('{') {
                return None;
            }
            pieces.push(piece);
            rest = after;
        }
        Some(Self(pieces))
    }

    /// Returns the placeholders' values in a name, or `None` if it does not match.
    pub(crate) fn read<'a>(&self, name: &'a str) -> Option<Vec<(&str, &'a str)>> {
        let mut found = Vec::new();
        read_pieces(&self.0, name, &mut found).then_some(found)
    }
}

/// Matches the pieces one after the other. Each placeholder takes as little as lets
/// the rest match.
fn read_pieces<'p, 'n>(
    pieces: &'p [Piece],
    name: &'n str,
    found: &mut Vec<(&'p str, &'n str)>,
) -> bool {
    match pieces {
        [] => name.is_empty(),
        [Piece::Text(text), after @ ..] => match name.strip_prefix(&**text) {
            Some(name) => read_pieces(after, name, found),
            None => false,
        },
        [Piece::Rest(label), ..] => {
            found.push((label, name));
            true
        }
        [Piece::Segment(label), after @ ..] => {
            let ends = name
                .char_indices()
                .take_while(|(_, c)| *c != '/')
                .map(|(start, c)| start + c.len_utf8());
            let filled = found.len();
            for end in ends {
                let Some((value, rest)) = name.split_at_checked(end) else {
                    return false;
                };
                found.push((label, value));
                if read_pieces(after, rest, found) {
                    return true;
                }
                found.truncate(filled);
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn check(pattern: &str, name: &str, expect: Option<&[(&str, &str)]>) {
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(pattern.read(name).as_deref(), expect, "{pattern:?} {name}");
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn a_name_fits_or_does_not() {
        check("/room-{id}", "/room-7", Some(&[("id", "7")]));
        check("/room-{id}", "/room-", None);
        check("/room-{id}", "/room-a/b", None);
        check("/room-{id}", "/chat", None);
        check("/{a}/{b}", "/x/y", Some(&[("a", "x"), ("b", "y")]));
        check("/{a}/end", "/x/end", Some(&[("a", "x")]));
        check("/{a}/end", "/x/y", None);
        check("/{a}-{b}", "/1-2-3", Some(&[("a", "1"), ("b", "2-3")]));
        check("/{a}é", "/éé", Some(&[("a", "é")]));
        check("/files/{*path}", "/files/a/b", Some(&[("path", "a/b")]));
        check("/files/{*path}", "/files/", Some(&[("path", "")]));
        check("/plain", "/plain", Some(&[]));
    }

    #[wasm_bindgen_test(unsupported = test)]
    fn what_is_no_pattern() {
        for wrong in [
            "/{", "/}", "/{}", "/{a", "/a}", "/{*}", "/{*a}/b", "/{a}{b}", "/{{a}}",
        ] {
            assert_eq!(Pattern::parse(wrong), None, "{wrong}");
        }
        assert!(Pattern::is_one("/{a}"));
        assert!(!Pattern::is_one("/a"));
    }
}
