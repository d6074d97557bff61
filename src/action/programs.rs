//! Which programs may be run: `exec:` of the configuration.

use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The programs that rules may run. None, unless the operator lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Programs(Vec<Program>);

/// One program of `exec:`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "PathBuf")]
struct Program(PathBuf);

impl TryFrom<PathBuf> for Program {
    type Error = String;

    fn try_from(path: PathBuf) -> Result<Self, Self::Error> {
        if path.is_absolute() {
            return Ok(Self(path));
        }
        Err(format!(
            "`{}` is no absolute path: a program is listed like `/usr/local/bin/crm-sync`",
            path.display()
        ))
    }
}

impl Programs {
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|program| program.0 == path)
    }

    /// All of them, for suggestions.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|program| program.0.to_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_are_programs() {
        let read = |text: &str| serde_json::from_str::<Programs>(text);
        let programs = read(r#"["/usr/bin/env","/opt/x y/sync"]"#).unwrap();
        assert!(programs.has(Path::new("/opt/x y/sync")) && programs.has(Path::new("/usr//bin/./env")));
        assert!(!programs.has(Path::new("env")) && !programs.has(Path::new("/usr/bin/../bin/env")));
        for text in [r#"["env"]"#, r#"["./env"]"#, r#"["~/env"]"#, r#"[""]"#, r#""/usr/bin/env""#, "[5]"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
