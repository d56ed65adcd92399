//! The targets of `targets`, driven by libFuzzer. Which one is said by the
//! environment: `DORMOUSE_FUZZ_TARGET`. With `DORMOUSE_FUZZ_LONG`, the program only
//! writes that target's long inputs into the folder of that name.

#![no_main]

mod targets;

use std::path::Path;
use std::sync::OnceLock;
use std::{env, fs, process};

fn target() -> &'static targets::Target {
    static TARGET: OnceLock<&targets::Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = env::var("DORMOUSE_FUZZ_TARGET").unwrap_or_default();
        let found = targets::ALL.iter().find(|(other, _)| *other == name);
        found.unwrap_or_else(|| panic!("there is no target {name:?}"))
    })
}

fn begin() {
    let Some(folder) = env::var_os("DORMOUSE_FUZZ_LONG") else {
        return;
    };
    let (target, _) = target();
    let inputs = targets::long::inputs();
    for input in inputs.iter().filter(|input| input.target == *target) {
        fs::write(Path::new(&folder).join(input.name), &input.bytes).expect("a folder");
    }
    process::exit(0);
}

libfuzzer_sys::fuzz_target!(init: begin(), |data: &[u8]| {
    let (_, run) = target();
    run(data);
});
