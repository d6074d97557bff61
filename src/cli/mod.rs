//! The command line: one file per subcommand. Exit codes: 0 fine, 1 problems found, 2 wrong usage.

mod ask;
mod check;
mod deliveries;
mod events;
mod explain;
mod journal;
mod generations;
mod hands;
mod health;
mod kinds;
mod kv;
mod logging;
mod output;
mod plan;
mod refused;
mod replay;
mod route;
mod schema;
mod send;
mod serve;
mod server;
mod setup;
mod sign;
mod tail;
mod test;

use clap::{Args, Parser, Subcommand};
use output::OutputError;
use std::path::PathBuf;
use std::process::ExitCode;

/// A webhook router: verify, match, act
///
/// Without a command it serves: it receives signed webhooks, keeps them, and does what the rules
/// in rules/ say. Edit the rules while it runs.
///
/// The process's environment is read once, at the start; hookyard.yaml, the .env beside it and
/// files named by ${file:…} are read again when they change.
#[derive(Debug, Parser)]
#[command(name = "hookyard", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    serve: serve::ServeArgs,
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
struct Common {
    /// The configuration [default: the nearest hookyard.yaml, else built-in]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The rule directory [default: what the configuration says, rules/]
    #[arg(long, global = true, value_name = "DIR", env = "HOOKYARD_RULES")]
    rules: Option<PathBuf>,
    /// The journal's database file [default: what the configuration says, data/hookyard.db]
    #[arg(long, global = true, value_name = "FILE", env = "HOOKYARD_JOURNAL")]
    journal: Option<PathBuf>,
    /// Print JSON, one record a line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive, keep and route webhooks (the default)
    Serve(serve::ServeArgs),
    /// Check the configuration and the rules, and say what is wrong where
    Check(check::CheckArgs),
    /// Run the tests that stand in the rules
    Test(test::TestArgs),
    /// Say which rules match events; touches nothing
    Route(route::RouteArgs),
    /// Say why an event matched what it matched: then, and by the rules of now
    Explain(explain::ExplainArgs),
    /// List what YAML can name: verifiers, operators, actions
    Kinds(kinds::KindsArgs),
    /// Print a JSON Schema of rules files, for editors
    Schema,
    /// Print the headers that sign a body
    Sign(sign::SignArgs),
    /// Sign an event and send it to a running server
    Send(send::SendArgs),
    /// List events, the newest first, or show one with all that was made of it
    Events(events::EventsArgs),
    /// List deliveries, the newest first, and where each stands
    Deliveries(deliveries::DeliveriesArgs),
    /// Say what is in the journal, make it small, write it out
    Journal(journal::JournalArgs),
    /// Try dead deliveries again, under the same ids
    Retry(hands::RetryArgs),
    /// Give up deliveries that are pending or blocked
    Cancel(hands::CancelArgs),
    /// Route events again by the rules of now, to deliveries of their own
    Replay(replay::ReplayArgs),
    /// Say what edited rules would make of the events of late; sends and keeps nothing
    ///
    /// Parameters are filled in, and scripts run with the state of now. What `fetch` would answer is
    /// unknown, and so is what a script that asks it would send.
    Plan(plan::PlanArgs),
    /// List the good loads of the rules, compare two, or go back to one
    Generations(generations::GenerationsArgs),
    /// Follow what happens in a running server
    Tail,
    /// Say whether the server is ready; exit code 1 if it is not
    Health,
    /// Look at the state that scripts keep, and change it by hand
    Kv(kv::KvArgs),
}

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Fine,
    Problems,
    /// It was not asked for in a way that is meant; what is wrong has been said.
    Usage,
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let common = &cli.common;
    let result = match cli.command {
        None => serve::run(common, cli.serve),
        Some(Command::Serve(args)) => serve::run(common, args.or(cli.serve)),
        Some(Command::Check(args)) => check::run(common, &args),
        Some(Command::Test(args)) => test::run(common, &args),
        Some(Command::Route(args)) => route::run(common, &args),
        Some(Command::Explain(args)) => explain::run(common, &args),
        Some(Command::Kinds(args)) => kinds::run(common, &args),
        Some(Command::Schema) => schema::run(common),
        Some(Command::Sign(args)) => sign::run(common, &args),
        Some(Command::Send(args)) => send::run(common, &args, cli.serve.listen),
        Some(Command::Events(args)) => events::run(common, &args),
        Some(Command::Deliveries(args)) => deliveries::run(common, &args),
        Some(Command::Journal(args)) => journal::run(common, &args),
        Some(Command::Retry(args)) => hands::retry(common, &args),
        Some(Command::Cancel(args)) => hands::cancel(common, &args),
        Some(Command::Replay(args)) => replay::run(common, &args),
        Some(Command::Plan(args)) => plan::run(common, &args),
        Some(Command::Generations(args)) => generations::run(common, &args),
        Some(Command::Tail) => tail::run(common),
        Some(Command::Health) => health::run(common),
        Some(Command::Kv(args)) => kv::run(common, &args),
    };
    match result {
        Ok(Verdict::Fine) => ExitCode::SUCCESS,
        Ok(Verdict::Problems) => ExitCode::from(1),
        Ok(Verdict::Usage) => ExitCode::from(2),
        Err(error) if error.downcast_ref().is_some_and(OutputError::reader_is_gone) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}
