//! Logs: one line each on standard error.

use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Sets up logging. `HOOKYARD_LOG` filters (`debug`, `hookyard::reload=debug`); default `info`.
pub(super) fn start() {
    let wanted = std::env::var("HOOKYARD_LOG").unwrap_or_default();
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse(&wanted);
    let (filter, wrong) = match filter {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .with_target(false)
        // A log that nobody reads any more must not end what writes it.
        .log_internal_errors(false)
        .init();
    if let Some(error) = wrong {
        tracing::warn!(
            "HOOKYARD_LOG={wanted} is no filter such as `debug` or `hookyard::reload=debug`: {error}"
        );
    }
}
