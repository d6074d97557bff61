//! What the run on this thread has spent and collected.
//!
//! A run never leaves its thread, so the host functions and Rhai's progress callback (which is
//! told a count and no clock) find it here. How it ended is latched: a script that catches the
//! error which ends it is ended again at its next step.

use super::Limits;
use super::effects::Asked;
use super::kv::State;
use super::sizes::Size;
use crate::action::{Answers, Consent, Trace};
use crate::event::Event;
use crate::kv::Store;
use crate::memory;
use crate::secret::Secret;
use crate::template;
use rhai::{Dynamic, EvalAltResult, Position};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// How many reads of a variable pass between two looks at the sizes of all.
const READS_PER_LOOK: u64 = 256;

/// How much of a pool thread's stack calls may take; the rest is for values, which Rhai measures
/// and drops recursively.
const STACK_BYTES: usize = 64 << 20;

/// How many steps pass between two looks at the clock, if they do little.
const STEPS_PER_LOOK: u64 = 128;

/// After so much that was allocated, the clock is looked at however few the steps were.
const BYTES_PER_LOOK: usize = 1 << 20;

/// All values of an evaluation together may take so many times `limits.script.size`, beside what
/// the engine needs for itself.
pub(super) const MEMORY_PER_SIZE: usize = 64;
const ENGINE_BYTES: usize = 16 << 20;

/// How many bytes a host function goes through for one step: about as long takes one of the script.
pub(super) const BYTES_PER_STEP: usize = 1024;

thread_local! {
    static METER: Meter = const { Meter {
        steps: Cell::new(0), max_steps: Cell::new(0), deadline: Cell::new(None),
        stack_base: Cell::new(0), max_stack_bytes: Cell::new(0),
        held_base: Cell::new(0), max_held_bytes: Cell::new(0), taken_at_look: Cell::new(0),
        ended: Cell::new(false), lines: Cell::new(0),
    } };
    static OVER: RefCell<Option<CancellationToken>> = const { RefCell::new(None) };
    static RUN: RefCell<Option<Run>> = const { RefCell::new(None) };
    static READS: Cell<u64> = const { Cell::new(0) };
    static LIMIT: Cell<Option<Spent>> = const { Cell::new(None) };
    static PLACE: RefCell<Option<Place>> = const { RefCell::new(None) };
    static MOST: Cell<Size> = const { Cell::new(Size { elements: usize::MAX, bytes: usize::MAX }) };
}

struct Meter {
    steps: Cell<u64>,
    max_steps: Cell<u64>,
    deadline: Cell<Option<Instant>>,
    /// Where the stack was when the evaluation began, and how far it may go from there.
    stack_base: Cell<usize>,
    max_stack_bytes: Cell<usize>,
    /// What this thread held then, and how much more it may.
    held_base: Cell<isize>,
    max_held_bytes: Cell<usize>,
    /// What this thread had allocated when the clock was last looked at.
    taken_at_look: Cell<usize>,
    ended: Cell<bool>,
    /// What the script has written into the log.
    lines: Cell<usize>,
}

/// A limit that was hit and that ends the run whatever the script does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spent {
    Steps,
    Time,
    Depth,
    Size,
    /// All values together.
    Memory,
    /// Nobody waits for the run any more.
    Abandoned,
}

/// A file, if that is known, and where in it.
type Place = (Option<String>, Position);

/// How a script ended its run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum End {
    Drop(String),
    Retry {
        why: String,
        wait: Option<Duration>,
    },
    Fail(String),
    /// Too many or too large effects: the sentence, with the call's file, if that is known, and
    /// place: Rhai puts another into errors that end a run.
    Limit(String, Option<String>, Position),
}

/// One run: what it works for and what it has asked for so far.
pub(super) struct Run {
    /// What `on_event` is called with, until it is.
    pub given: Given,
    pub asked: Asked,
    pub event: Event,
    /// The script that runs.
    pub file: String,
    pub state: State,
    /// How many requests went out.
    pub fetches: usize,
    /// The secrets in them with their names: an answer may repeat them.
    pub sent: Vec<(Secret, String)>,
    pub world: World,
    pub end: Option<End>,
}

/// The arguments of a handler. They stand in no scope, from which Rhai would copy them.
pub(super) struct Given {
    pub event: Dynamic,
    pub params: Dynamic,
}

impl Given {
    /// Takes out what the driver calls by this name.
    fn take(&mut self, name: &str) -> Option<Dynamic> {
        let value = match name {
            "event" => &mut self.event,
            "params" => &mut self.params,
            _ => return None,
        };
        Some(value.take())
    }
}

/// What a run reaches outside of itself.
#[derive(Clone)]
pub struct World {
    /// Where what it waits for is done.
    pub runtime: Handle,
    pub store: Arc<dyn Store>,
    /// In a dry run: what `fetch` gets.
    pub answers: Option<Arc<Answers>>,
    pub consent: Consent,
    pub trace: Trace,
    /// Cancelled when nobody waits for the run any more.
    pub over: CancellationToken,
}

/// What an evaluation may take of its thread's stack, and hold in values of its own; and what the
/// values take that it begins with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub stack_bytes: usize,
    pub held_bytes: usize,
    pub given_bytes: usize,
}

impl Room {
    /// On a thread of the pool.
    pub(super) fn of_script(limits: &Limits, given_bytes: usize) -> Self {
        let held_bytes = limits.size.saturating_mul(MEMORY_PER_SIZE).saturating_add(ENGINE_BYTES);
        Self { stack_bytes: STACK_BYTES, held_bytes, given_bytes }
    }
}

/// Starts the meter for something evaluated on this thread.
pub(super) fn meter(limits: &Limits, room: Room) {
    LIMIT.set(None);
    PLACE.set(None);
    READS.set(0);
    MOST.set(Size {
        elements: limits.size.saturating_add(room.given_bytes / size_of::<Dynamic>()),
        bytes: limits.size.saturating_add(room.given_bytes),
    });
    METER.with(|meter| {
        meter.steps.set(0);
        meter.max_steps.set(limits.steps);
        meter.deadline.set(Instant::now().checked_add(limits.time));
        meter.stack_base.set(stack_place());
        meter.max_stack_bytes.set(room.stack_bytes);
        meter.held_base.set(memory::held());
        meter.max_held_bytes.set(room.held_bytes);
        meter.taken_at_look.set(memory::taken());
        meter.ended.set(false);
        meter.lines.set(0);
    });
}

/// How much one value may be, with what the evaluation began with in it.
pub(super) fn most() -> Size {
    MOST.get()
}

/// Makes something that an evaluation is to begin with, and says how many bytes it takes.
pub(super) fn give<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = memory::held();
    let made = make();
    (made, usize::try_from(memory::held() - before).unwrap_or_default())
}

/// About where the top of this thread's stack is.
#[inline(never)]
fn stack_place() -> usize {
    let here = 0u8;
    std::hint::black_box(&raw const here).addr()
}

/// Counts a read of a variable. Returns whether it is time to measure the variables.
pub(super) fn read() -> bool {
    let reads = READS.get().wrapping_add(1);
    READS.set(reads);
    reads.is_multiple_of(READS_PER_LOOK)
}

/// Leaves a time out of the run's own.
pub(super) fn pause(time: Duration) {
    METER.with(|meter| {
        let later = meter.deadline.get().and_then(|deadline| deadline.checked_add(time));
        meter.deadline.set(later);
    });
}

/// What the evaluation on this thread has used of so much time, pauses left out.
pub(super) fn time_used(limit: Duration) -> Duration {
    let deadline = METER.with(|meter| meter.deadline.get());
    let left = deadline.map_or(limit, |deadline| deadline.saturating_duration_since(Instant::now()));
    limit.saturating_sub(left)
}

/// Which limit of the meter was hit.
pub(super) fn spent() -> Option<Spent> {
    LIMIT.get()
}

/// Ends what is evaluated on this thread because of a limit.
pub(super) fn spend(limit: Spent) {
    if LIMIT.get().is_none() {
        LIMIT.set(Some(limit));
    }
    METER.with(|meter| meter.ended.set(true));
}

/// Notes a place on the way out of an evaluation that ends: Rhai puts another into the error. The
/// first counts, which is the innermost.
pub(super) fn note_place(file: Option<&str>, at: Position) {
    PLACE.with_borrow_mut(|place| {
        place.get_or_insert_with(|| (file.map(str::to_owned), at));
    });
}

pub(super) fn noted_place() -> Option<Place> {
    PLACE.with_borrow(Clone::clone)
}

/// Rhai's progress callback: a value ends the evaluation.
pub(super) fn progress() -> Option<Dynamic> {
    METER.with(|meter| {
        let steps = meter.steps.get() + 1;
        let taken = memory::taken().wrapping_sub(meter.taken_at_look.get());
        let look = steps.is_multiple_of(STEPS_PER_LOOK) || taken > BYTES_PER_LOOK;
        if meter.ended.get() || !meter.has_room(steps, look) {
            return Some(Dynamic::UNIT);
        }
        None
    })
}

/// Counts what a host function does with so many bytes, and looks at the clock if it is much:
/// Rhai sees only the one step of the call.
///
/// # Errors
/// Ends the evaluation at a limit.
pub(super) fn work(bytes: usize) -> Result<(), Box<EvalAltResult>> {
    let steps = (bytes / BYTES_PER_STEP) as u64;
    let fine = METER.with(|meter| {
        !meter.ended.get() && meter.has_room(meter.steps.get().saturating_add(steps), steps > 0)
    });
    if fine { Ok(()) } else { Err(EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into()) }
}

impl Meter {
    /// Sets the steps taken. Returns whether all limits have room for them.
    fn has_room(&self, steps: u64, look: bool) -> bool {
        self.steps.set(steps);
        if steps > self.max_steps.get() {
            spend(Spent::Steps);
        } else if stack_place().abs_diff(self.stack_base.get()) > self.max_stack_bytes.get() {
            spend(Spent::Depth);
        } else if self.holds_too_much() {
            spend(Spent::Memory);
        } else if look {
            return self.has_time();
        } else {
            return true;
        }
        false
    }

    fn holds_too_much(&self) -> bool {
        let more = memory::held().wrapping_sub(self.held_base.get());
        usize::try_from(more).is_ok_and(|more| more > self.max_held_bytes.get())
    }

    fn has_time(&self) -> bool {
        self.taken_at_look.set(memory::taken());
        if self.deadline.get().is_some_and(|deadline| Instant::now() > deadline) {
            spend(Spent::Time);
        } else if OVER.with_borrow(|over| over.as_ref().is_some_and(CancellationToken::is_cancelled)) {
            spend(Spent::Abandoned);
        } else {
            return true;
        }
        false
    }
}

/// Counts a line that the script writes into the log. Returns how many it has written before.
pub(super) fn line() -> usize {
    METER.with(|meter| meter.lines.replace(meter.lines.get().saturating_add(1)))
}

/// The run of this thread while it lasts. Dropping it forgets the run, also when Rhai panics.
pub(super) struct Active(());

impl Active {
    /// `given_bytes`: what the values take that the run begins with.
    pub(super) fn start(run: Run, limits: &Limits, given_bytes: usize) -> Self {
        meter(limits, Room::of_script(limits, given_bytes));
        OVER.set(Some(run.world.over.clone()));
        RUN.set(Some(run));
        Self(())
    }

    /// Ends the run and hands out what it collected.
    pub(super) fn finish(self) -> Run {
        RUN.take().expect("the run stays from `start` until here")
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        OVER.set(None);
        RUN.set(None);
    }
}

/// Calls `work` with the run of this thread; `None` outside of one (top-level code at load).
pub(super) fn with_run<T>(work: impl FnOnce(&mut Run) -> T) -> Option<T> {
    RUN.with_borrow_mut(|run| run.as_mut().map(work))
}

/// An argument of the handler, which is handed over once.
pub(super) fn hand_over(name: &str) -> Option<Dynamic> {
    with_run(|run| run.given.take(name)).flatten()
}

impl Run {
    pub(super) fn send(&mut self, secrets: &[(Secret, String)]) {
        let new: Vec<_> = secrets.iter().filter(|secret| !self.sent.contains(secret)).cloned().collect();
        self.sent.extend(new);
        // A longer one may have a shorter one in it.
        self.sent.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.expose().len()));
    }

    /// What is told, without the secrets that an answer may have repeated.
    pub(super) fn redact(&self, text: &str) -> String {
        template::redact(text, &self.sent)
    }
}

/// Ends the run for good; the first end counts.
pub(super) fn end(end: End, position: Position) -> Box<EvalAltResult> {
    METER.with(|meter| meter.ended.set(true));
    with_run(|run| {
        run.end.get_or_insert(end);
    });
    EvalAltResult::ErrorTerminated(Dynamic::UNIT, position).into()
}
