//! The one integration binary: the real program over real sockets with a real journal on disk.

mod support;

mod api;
mod bad_input;
mod cli;
mod crash;
mod delivery;
mod docs;
mod exec;
mod flow;
mod floors;
mod journal;
mod mail;
mod operator;
mod reload;
mod scripts;
mod server;
