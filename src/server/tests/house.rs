//! Rules of the house that the compiler does not know: which modules may know which,
//! and how bytes are stored.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the server, each of which may know those before it and no others.
/// Modules in the same row do not know each other either.
const ORDER: &[&[&str]] = &[
    &["sid", "table", "query", "log", "origin", "usage"],
    &["compatibility"],
    &["platform", "incoming"],
    &["request", "loggers", "tracing"],
    &["placement"],
    &["options"],
    &["http", "port"],
    &["parts", "api"],
    &["http_api"],
    &["layer", "webhooks", "admin"],
    &["object", "worker"],
];

/// The files below the layers that name something of Socket.IO: a packet that is
/// encoded for many, and the rows of recovery.
const KNOWS_SOCKET_IO: &[&str] = &["parts/packet.rs", "parts/recovery_rows.rs"];

/// The sources of the server.
fn sources() -> Vec<(String, String)> {
    sources_in(Path::new(env!("CARGO_MANIFEST_DIR")))
}

fn sources_in(root: &Path) -> Vec<(String, String)> {
    fn visit(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    visit(root, &mut found);
    let named = found.into_iter().map(|path| {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        (name.replace('\\', "/"), fs::read_to_string(&path).unwrap())
    });
    named
        .filter(|(name, _)| !is_test(name))
        .map(|(name, text)| (name, code(&text)))
        .collect()
}

fn is_test(name: &str) -> bool {
    name.split('/')
        .any(|part| matches!(part, "tests" | "tests.rs" | "in_browser"))
}

/// Returns a file's text without comments, and without the tests at the end.
fn code(text: &str) -> String {
    let lines = text
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"));
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Returns a file's module: `parts/clock.rs` is in `parts`, and `http.rs` is `http`.
fn module_of(file: &str) -> &str {
    let top = file.split('/').next().unwrap_or(file);
    top.strip_suffix(".rs").unwrap_or(top)
}

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|row| row.contains(&module))
}

fn known_by(code: &str) -> Vec<&str> {
    let after = code.split("crate::").skip(1);
    let names = after.filter_map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    });
    names.filter(|name| rank(name).is_some()).collect()
}

#[test]
fn modules_know_only_those_before_them() {
    let mut wrong = Vec::new();
    for (file, code) in sources() {
        let module = module_of(&file);
        let Some(own) = rank(module) else {
            continue;
        };
        for known in known_by(&code) {
            let allowed = known == module || rank(known).is_some_and(|rank| rank < own);
            if !allowed {
                wrong.push(format!("{file} knows {known}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_its_place() {
    let library = ["lib", "in_browser"];
    for (file, _) in sources() {
        let module = module_of(&file);
        assert!(
            rank(module).is_some() || library.contains(&module),
            "{file}"
        );
    }
}

#[test]
fn the_object_and_its_parts_do_not_know_the_protocols() {
    for (file, code) in sources() {
        let is_below = matches!(module_of(&file), "parts" | "object" | "http" | "platform");
        if is_below && !KNOWS_SOCKET_IO.contains(&&*file) {
            assert!(!code.contains("proto::socket"), "{file} knows Socket.IO");
        }
    }
}

/// serde writes a `Vec<u8>` number by number, and some have millions of them.
#[test]
fn bytes_are_stored_as_bytes() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut wrong = Vec::new();
    for (file, code) in [sources(), sources_in(&server.join("../proto"))].concat() {
        // From each derive to the end of its type.
        let derived = code.split("#[derive(").skip(1);
        let types = derived.filter_map(|rest| rest.split("\n}").next());
        for stored in types.filter(|it| it.split(")]").next().unwrap().contains("Serialize")) {
            let mut before = "";
            for line in stored.lines() {
                let has_bytes = ["Vec<u8>", "[u8]>", "&'a [u8]"]
                    .iter()
                    .any(|it| line.contains(it));
                let is_bytes = |it: &&str| it.contains("with = \"") || it.contains("serde(skip)");
                if has_bytes && ![before, line].iter().any(is_bytes) {
                    wrong.push(format!("{file}: {}", line.trim()));
                }
                before = line;
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
