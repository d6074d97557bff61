//! The `hookyard` program: see [`hookyard::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    hookyard::cli::main()
}
