//! Runs of whole scripts.
