//! The modules of `src/lib.rs` stand in floor order; a `use crate::` that points up is an error.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn modules_use_only_what_stands_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let order = modules_in_order(&fs::read_to_string(src.join("lib.rs")).expect("lib.rs is there"));
    let mut checked = 0;
    let mut wrong = Vec::new();
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).expect("it was found below src").to_path_buf();
        let Some(own) = floor(&order, &module_of(&relative)) else { continue };
        let text = fs::read_to_string(&file).expect("a source file is text");
        for used in used_modules(&text) {
            checked += 1;
            if floor(&order, &used).is_some_and(|other| other > own) {
                wrong.push(format!("src/{}: uses crate::{used}, which stands above it", relative.display()));
            }
        }
    }
    assert!(checked > 30, "only {checked} uses were found: the test no longer reads the sources");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `pub mod NAME;` in order; the `// Floor N` comments between them are for people.
fn modules_in_order(lib: &str) -> Vec<String> {
    lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';').map(str::to_owned)).collect()
}

fn floor(order: &[String], module: &str) -> Option<usize> {
    order.iter().position(|name| name == module)
}

/// `action/http.rs` → `action`; `json.rs` → `json`.
fn module_of(relative: &Path) -> String {
    let first = relative.components().next().expect("a path has a component");
    Path::new(first.as_os_str()).with_extension("").display().to_string()
}

/// The first segment behind every `crate::` in code (comments and docs do not bind).
fn used_modules(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("src is a directory");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("an entry can be read").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
