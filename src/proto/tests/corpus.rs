//! What the fuzzer has found worth keeping, once more: the corpus of every target
//! in `fuzz`, on a stable compiler and without a fuzzer; and inputs that are too long
//! to be kept.
#![cfg(not(target_arch = "wasm32"))]
#![allow(missing_docs, unreachable_pub)]
#![allow(clippy::indexing_slicing, clippy::string_slice, clippy::unwrap_used)]
#![allow(clippy::std_instead_of_core, clippy::wildcard_enum_match_arm)]

#[path = "../../../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Returns all inputs that are kept for a target, by name.
fn corpus(target: &str) -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let files = fs::read_dir(corpus.join(target)).expect("each target has a corpus");
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn what_was_found_is_in_order() {
    let mut failed = Vec::new();
    for (name, run) in targets::ALL {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let input = fs::read(&file).unwrap();
            let result = catch_unwind(AssertUnwindSafe(|| run(&input)));
            failed.extend(result.err().map(|_| file));
        }
    }
    assert_eq!(
        failed,
        [""; 0].map(PathBuf::from),
        "see above what is wrong with each"
    );
}

/// What they allocate is bounded, as for every input, and none of them takes long.
#[test]
fn long_inputs_are_in_order() {
    let mut failed = Vec::new();
    for long in targets::long::inputs() {
        let (_, run) = targets::ALL
            .iter()
            .find(|(name, _)| *name == long.target)
            .unwrap();
        let result = catch_unwind(AssertUnwindSafe(|| run(&long.bytes)));
        failed.extend(
            result
                .err()
                .map(|_| format!("{}/{}", long.target, long.name)),
        );
    }
    assert_eq!(failed, [""; 0], "see above what is wrong with each");
}
