//! A program run to its end: fed, heard within bounds, and killed with all that it has started.

use crate::action::ActionError;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::signal::unix::{Signal as Signals, SignalKind, signal};

/// What a program may write; more ends it.
const MAX_OUTPUT_BYTES: usize = 1 << 20;
const MAX_ERROR_BYTES: usize = 64 << 10;
/// How long to read on when all of the group is dead: what it wrote is there, but a process that
/// has left the group may hold the pipes open for ever.
const REST_PATIENCE: Duration = Duration::from_secs(1);

/// How a program ended, and what it wrote.
pub(super) struct Ended {
    pub status: ExitStatus,
    pub output: Vec<u8>,
    pub errors: Vec<u8>,
}

/// Why there is no end to tell of.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot be started: {0}")]
    Start(io::Error),
    #[error("writes more than {1} to its standard {0}, and was ended")]
    Flood(&'static str, &'static str),
    #[error("cannot be followed: {0}")]
    Lost(#[from] io::Error),
}

impl Failure {
    /// Only a lack of the system's resources passes by itself.
    pub fn into_error(self, program: &str) -> ActionError {
        let sentence = format!("{program} {self}");
        match self {
            Self::Start(error) if is_passing(&error) => ActionError::Retry { error: sentence, after: None },
            Self::Start(error) if error.kind() == io::ErrorKind::NotFound => ActionError::Blocked(format!(
                "{sentence} (or there is no interpreter as its first line says)"
            )),
            Self::Start(_) | Self::Flood(..) => ActionError::Blocked(sentence),
            Self::Lost(_) => ActionError::Retry { error: sentence, after: None },
        }
    }
}

/// Whether the same may succeed later: no process, memory or descriptor to give, or the file is
/// being written.
fn is_passing(error: &io::Error) -> bool {
    const PASSING: [Errno; 5] = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::TXTBSY];
    Errno::from_io_error(error).is_some_and(|error| PASSING.contains(&error))
}

/// Runs a program with this standard input. Dropping the future kills it and its whole group.
///
/// # Errors
/// [`Failure`]; the program is dead then.
pub(super) async fn run(mut command: Command, input: &[u8]) -> Result<Ended, Failure> {
    // Listened to from before there can be an end.
    let mut ends = signal(SignalKind::child())?;
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().map_err(Failure::Start)?;
    let group = Group::of(&child);
    let mut output = Heard::new(MAX_OUTPUT_BYTES, Failure::Flood("output", "1 MiB"));
    let mut errors = Heard::new(MAX_ERROR_BYTES, Failure::Flood("error", "64 KiB"));
    {
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut talk = pin!(async {
            tokio::try_join!(feed(stdin, input), output.listen(stdout), errors.listen(stderr)).map(drop)
        });
        let mut end = pin!(group.end(&mut ends));
        let talked = tokio::select! {
            talked = &mut talk => {
                talked?;
                end.await?;
                true
            }
            ended = &mut end => {
                ended?;
                false
            }
        };
        group.kill();
        if !talked && let Ok(talked) = tokio::time::timeout(REST_PATIENCE, talk).await {
            talked?;
        }
    }
    let status = child.wait().await?;
    group.forget();
    Ok(Ended { status, output: output.bytes, errors: errors.bytes })
}

/// Writes the input. A program need not read it.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) -> Result<(), Failure> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    match stdin.write_all(input).await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// What was read of a pipe so far: it stays when the reading is abandoned.
struct Heard {
    bytes: Vec<u8>,
    max_bytes: usize,
    flood: Option<Failure>,
}

impl Heard {
    fn new(max_bytes: usize, flood: Failure) -> Self {
        Self { bytes: Vec::new(), max_bytes, flood: Some(flood) }
    }

    /// Reads to the end, or until it is too much.
    async fn listen(&mut self, pipe: Option<impl AsyncRead + Unpin>) -> Result<(), Failure> {
        let Some(mut pipe) = pipe else { return Ok(()) };
        while pipe.read_buf(&mut self.bytes).await? > 0 {
            if self.bytes.len() > self.max_bytes
                && let Some(flood) = self.flood.take()
            {
                return Err(flood);
            }
        }
        Ok(())
    }
}

/// The process group of a program, killed when this is dropped. Its number is the program's own
/// and is nobody else's until the program is waited for, which comes last.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)))
    }

    /// Waits for the program's end, and leaves it to be waited for.
    async fn end(&self, ends: &mut Signals) -> Result<(), Failure> {
        let Some(pid) = self.0 else { return Ok(()) };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while waitid(WaitId::Pid(pid), look).map_err(io::Error::from)?.is_none() {
            ends.recv().await;
        }
        Ok(())
    }

    fn kill(&self) {
        if let Some(group) = self.0 {
            // It fails if nobody is left, or nobody who may be killed (a program with set-uid).
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Its number may be somebody else's from now on.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
