//! Functions of Rhai's own that could run away, in versions that stay within the limits.
//!
//! No limit is looked at while a function of Rhai's library works: some of them never end, make
//! gigabytes in one step, or swallow the error that ends a run. These take their place, under the
//! same names and with the same meaning.

mod callbacks;
mod equality;
mod lists;
mod sort;
mod texts;

use rhai::{Engine, FuncRegistration, RhaiNativeFunc, Variant};

pub(super) fn register(engine: &mut Engine) {
    texts::register(engine);
    lists::register(engine);
    equality::register(engine);
    callbacks::register(engine);
}

/// Registers a function that changes its first argument, which is then no constant.
fn changing<A: 'static, const N: usize, const X: bool, R: Variant + Clone, const F: bool>(
    engine: &mut Engine,
    name: &str,
    function: impl RhaiNativeFunc<A, N, X, R, F> + Send + Sync + 'static,
) {
    FuncRegistration::new(name).with_purity(false).register_into_engine(engine, function);
}
