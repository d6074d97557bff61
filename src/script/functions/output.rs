//! A text that is put together no further than `limits.script.size`.

use super::Fallible;
use crate::script::{sizes, state};
use rhai::NativeCallContext;

/// Rhai measures what a function returns; this is never larger to begin with.
pub(in crate::script) struct Output {
    text: String,
    most_bytes: usize,
}

impl Output {
    pub fn new(context: &NativeCallContext) -> Self {
        Self { text: String::new(), most_bytes: context.engine().max_string_size() }
    }

    pub fn push(&mut self, part: &str) -> Fallible<()> {
        if part.len() > self.most_bytes.saturating_sub(self.text.len()) {
            return Err(sizes::too_large());
        }
        self.text.push_str(part);
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub fn finish(self) -> Fallible<String> {
        state::work(self.text.len())?;
        Ok(self.text)
    }
}
