//! Runs of whole scripts and conditions.

mod conditions;
mod effects;
mod ends;
pub(super) mod kit;
mod limits;
mod loading;
mod printing;
mod values;
