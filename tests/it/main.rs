//! The one integration binary: the real program over real sockets with a real journal on disk.

mod support;

mod api;
mod bad_input;
mod cli;
mod crash;
mod data;
mod delivery;
mod docs;
mod exec;
mod faults;
mod flow;
mod floors;
mod journal;
mod lanes;
mod limits;
mod mail;
mod refused;
mod operator;
mod reload;
mod scripting;
mod scripts;
mod server;
mod storms;
mod transaction;
