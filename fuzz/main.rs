//! The targets of `targets`, driven by libFuzzer. Which one is said by the
//! environment: `DORMOUSE_FUZZ_TARGET`.

#![no_main]

mod memory;
mod targets;

use std::sync::OnceLock;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// So many bytes for each that came in, and so many beside them.
const MOST_MEMORY: (usize, usize) = (200, 64 << 10);

fn target() -> &'static targets::Target {
    static TARGET: OnceLock<&targets::Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let name = std::env::var("DORMOUSE_FUZZ_TARGET").unwrap_or_default();
        let found = targets::ALL.iter().find(|(other, _)| *other == name);
        found.unwrap_or_else(|| panic!("there is no target {name:?}"))
    })
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (_, run) = target();
    let memory = memory::most_of(|| run(data));
    let (each, beside) = MOST_MEMORY;
    assert!(
        memory <= data.len() * each + beside,
        "{memory} bytes for {}",
        data.len()
    );
});
