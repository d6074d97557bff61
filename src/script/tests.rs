//! Runs of whole scripts and conditions.

mod conditions;
mod data;
mod effects;
mod ends;
mod functions;
mod kinds;
pub(super) mod kit;
mod limits;
mod loading;
mod panics;
mod printing;
mod safer;
mod standard;
mod state;
mod values;
