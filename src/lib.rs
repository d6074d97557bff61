//! hookyard: receives signed webhooks, keeps them, and routes them. **verify → match → act.**
//!
//! ```text
//! request :  capped body → Source::accept (verify, parse once) → RuleSet::route → Journal::append → 200
//! delivery:  Journal::lease → Action::deliver (within its time limit) → Journal::settle
//! ```
//!
//! Two halves with the journal between them; shared state is two values, the [`journal`] and the
//! current [`rules`]. The modules below stand in floor order: a module uses only modules of lower
//! floors, or those listed above it on its own. `tests/it/floors.rs` reads the `use crate::` lines
//! and fails on one that does not point down.

// Floor 0: values and texts, no I/O.
pub mod memory;
pub mod json;
pub mod duration;
pub mod diagnostic;
pub mod event;
pub mod headers;
pub mod registry;
pub mod yaml;
pub mod secret;
// Floor 1: what a delivery is and what its parameters become.
pub mod template;
pub mod kv;
pub mod delivery;
// Floor 2: the families (operators, verifiers, actions) and the record.
pub mod pattern;
pub mod source;
pub mod action;
pub mod journal;
// Floor 3: user scripts.
pub mod script;
// Floor 4: all of `rules/`, compiled together.
pub mod rules;
// Floor 5: the running parts.
pub mod config;
pub mod server;
pub mod refused;
pub mod ingest;
pub mod dispatch;
pub mod operate;
pub mod reload;
pub mod admin;
// Floor 6: all of it wired.
pub mod app;
// Floor 7: the command line.
pub mod cli;

/// For all of a program that uses this crate: scripts run within what it counts.
#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;
