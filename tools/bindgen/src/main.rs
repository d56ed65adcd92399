//! Makes the JavaScript of a Worker and its wasm for it, as wasm-bindgen's own program does.
//! Development builds have this one where the other is not there: to compile that takes
//! minutes, most of them for what it needs to run tests in browsers.
//!
//! ```text
//! dormouse-bindgen <a crate's wasm> <where to write index.js and index_bg.wasm>
//! ```

use std::env;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    let (Some(input), Some(out), None) = (args.next(), args.next(), args.next()) else {
        eprintln!("dormouse-bindgen <a crate's wasm> <the folder to write to>");
        return ExitCode::FAILURE;
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(input)
        .out_name("index")
        .typescript(false)
        .reset_state_function(true)
        .force_enable_abort_handler(true);
    match bindgen
        .module(true)
        .and_then(|bindgen| bindgen.generate(out))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
