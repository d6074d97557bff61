//! Logs: one line each on standard error.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Sets up logging. `HOOKYARD_LOG` filters (`debug`, `hookyard::reload=debug`); default `info`.
pub(super) fn start() {
    let filter = EnvFilter::try_from_env("HOOKYARD_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(color).with_target(false).init();
}
