//! The compiler's messages about mistakes in handlers.
//!
//! Each file in `compile_fail/` is one mistake, with the required messages behind
//! `//~`. They are compiled together, as modules of one crate, with the very
//! libraries that `cargo test` has built. Those in `when_built/` are found only when
//! code is generated, and are compiled one by one.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::indexing_slicing)]

use core::fmt::Write;
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

#[test]
fn each_mistake_is_called_by_its_name() {
    let cases = cases("compile_fail");
    let mut source = String::new();
    for path in cases.keys() {
        let name = path.file_stem().and_then(OsStr::to_str);
        let name = name.expect("it has a name");
        writeln!(source, "#[path = {path:?}] mod {name};").expect("it is a string");
    }
    let errors = compile(&source, "metadata");
    let problems = cases.iter().filter_map(|(path, expected)| {
        let of_it = errors.iter().filter(|error| error.files.contains(path));
        let said: String = of_it.map(|error| error.rendered.as_str()).collect();
        missing(path, expected, &said)
    });
    assert_none(&problems.collect::<Vec<_>>());
}

#[test]
fn so_is_what_is_found_when_code_is_generated() {
    let cases = cases("compile_fail/when_built");
    let problems = cases.iter().filter_map(|(path, expected)| {
        let source = format!("#[path = {path:?}] pub mod case;");
        let errors = compile(&source, "obj");
        let said: String = errors.iter().map(|error| error.rendered.as_str()).collect();
        missing(path, expected, &said)
    });
    assert_none(&problems.collect::<Vec<_>>());
}

/// Returns which of the required messages are missing.
fn missing(path: &Path, expected: &[String], said: &str) -> Option<String> {
    let is_missing = |text: &&String| said.is_empty() || !said.contains(text.as_str());
    let missing: Vec<_> = expected.iter().filter(is_missing).cloned().collect();
    if missing.is_empty() && !expected.is_empty() {
        return None;
    }
    let (path, missing) = (path.display(), missing.join("\n"));
    Some(format!(
        "{path}: missing:\n{missing}\n\nthe compiler says:\n{said}"
    ))
}

fn assert_none(missing: &[String]) {
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Returns the files of a folder, each with the lines behind `//~`.
fn cases(folder: &str) -> BTreeMap<PathBuf, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(folder);
    let files = fs::read_dir(folder).expect("the folder is there");
    let paths = files.map(|file| file.expect("it can be read").path());
    paths
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .map(|path| {
            let source = fs::read_to_string(&path).expect("it can be read");
            let expected = source.lines().filter_map(|line| line.strip_prefix("//~ "));
            (path, expected.map(str::to_owned).collect())
        })
        .collect()
}

struct Diagnosis {
    /// The files that it points at.
    files: Vec<PathBuf>,
    rendered: String,
}

/// Compiles a crate, and returns the errors.
fn compile(source: &str, emit: &str) -> Vec<Diagnosis> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compile_fail_{emit}"));
    fs::create_dir_all(&folder).expect("there is a place for it");
    let main = folder.join("lib.rs");
    fs::write(&main, source).expect("there is room for it");
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", emit])
        .args([
            "--error-format",
            "json",
            "--cap-lints",
            "allow",
            "--out-dir",
        ])
        .arg(&folder)
        .arg(&main);
    for (name, path) in libraries() {
        let path = path.to_str().expect("paths are text");
        rustc.args(["--extern", &format!("{name}={path}")]);
        let dependencies = Path::new(path).parent().expect("it is in a folder");
        rustc.arg(format!("-Ldependency={}", dependencies.display()));
    }
    let output = rustc.output().expect("rustc runs");
    assert!(!output.status.success(), "it compiles");
    json_lines(&output.stderr)
        .filter(|message| message["level"] == "error")
        .map(|error| Diagnosis {
            files: spans(&error).map(PathBuf::from).collect(),
            rendered: error["rendered"].as_str().unwrap_or_default().to_owned(),
        })
        .collect()
}

fn spans(error: &Value) -> impl Iterator<Item = String> {
    let spans = error["spans"].as_array().cloned().unwrap_or_default();
    spans
        .into_iter()
        .filter_map(|span| span["file_name"].as_str().map(str::to_owned))
}

/// Returns the libraries that the mistakes are compiled with, as `cargo test` has
/// built them. Cargo is asked again where they are.
fn libraries() -> &'static [(String, PathBuf)] {
    static LIBRARIES: OnceLock<Vec<(String, PathBuf)>> = OnceLock::new();
    LIBRARIES.get_or_init(find_libraries)
}

fn find_libraries() -> Vec<(String, PathBuf)> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args([
            "test",
            "--package",
            "dormouse",
            "--no-run",
            "--offline",
            "--message-format",
            "json",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo: {said}");
    json_lines(&output.stdout)
        .filter(|message| message["profile"]["test"] == false)
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            let files = message["filenames"].as_array()?;
            let mut paths = files.iter().filter_map(Value::as_str).map(PathBuf::from);
            let library = paths.find(|path| path.extension().is_some_and(|it| it == "rlib"))?;
            Some((name, library))
        })
        .filter(|(name, _)| ["dormouse", "serde"].contains(&&**name))
        .collect()
}

fn json_lines(output: &[u8]) -> impl Iterator<Item = Value> {
    let lines = output.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok())
}
