//! Noticing that the database file was moved, deleted or replaced while it is open: what is
//! written to it then would be lost with the process.

use super::txn::Fault;
use std::fmt;
use std::io;
use std::path::Path;

/// Which file it is, whatever its name.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity(#[cfg(unix)] (u64, u64));

/// As two processes of this machine can compare it.
impl fmt::Display for Identity {
    #[cfg(unix)]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (device, inode) = self.0;
        write!(f, "{device:x}-{inode:x}")
    }

    #[cfg(not(unix))]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown")
    }
}

impl Identity {
    /// # Errors
    /// There is no such file, or it cannot be looked at.
    #[cfg(unix)]
    pub fn of(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path).map(|file| Self((file.dev(), file.ino())))
    }

    /// Elsewhere a file that is open can be neither moved nor deleted.
    #[cfg(not(unix))]
    pub fn of(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path).map(|_| Self())
    }

    /// # Errors
    /// [`Fault::Refused`] if another file has the name now, or none.
    pub fn check(&self, path: &Path) -> Result<(), Fault> {
        if Self::of(path).is_ok_and(|now| now == *self) {
            return Ok(());
        }
        let path = path.display();
        Err(Fault::Refused(format!(
            "{path} was moved, deleted or replaced while it was in use: put it back, or restart hookyard"
        )))
    }
}
