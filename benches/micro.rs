//! Micro-benchmarks of the request path: accept the seed event, route it.

fn main() {
    divan::main();
}
