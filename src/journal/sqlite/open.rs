//! Opening the database: who may, what it must be, and what to do if it is not.

use crate::journal::JournalError;
use rusqlite::config::DbConfig;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// `hook` in ASCII, in the header of our databases.
const APPLICATION_ID: i32 = 0x686f_6f6b;
/// What makes each version from the one before; the number of the last is that of today's.
const VERSIONS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
];
/// Up to this size the whole file is checked at start (some 0.2 s).
const CHECKED_BYTES: u64 = 64 << 20;

/// Called at each commit, or sync; what it returns as an error makes that one fail.
pub type CommitHook = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// How a journal is kept.
#[derive(Clone)]
pub struct Options {
    /// How many fingerprints are kept in memory, some 22 bytes each; older ones are on disk.
    pub prints_in_memory: usize,
    /// How many generations are kept.
    pub generations: u32,
    /// The database may not have more pages than this: a full disk, for tests.
    pub max_pages: Option<u32>,
    /// A fault to inject, for tests.
    pub before_commit: Option<CommitHook>,
    /// Another one: the commit is made, and cannot be synced.
    pub before_sync: Option<CommitHook>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            prints_in_memory: 900_000,
            generations: 50,
            max_pages: None,
            before_commit: None,
            before_sync: None,
        }
    }
}

/// Takes the journal for this process and opens it, making it if it is not there.
///
/// # Errors
/// [`JournalError::Unusable`] says what stands in the way and what to do.
pub fn open(path: &Path, options: &Options) -> Result<(Connection, File), JournalError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(directory) = directory {
        let made = std::fs::create_dir_all(directory);
        made.map_err(|error| refuse(path, format!("{} cannot be made: {error}", directory.display())))?;
    }
    let lock = lock(path)?;
    create(path)?;
    let connection = connect(path, options).map_err(|error| unusable(path, &error))?;
    refuse_read_only(&connection, path)?;
    prepare(&connection, path)?;
    Ok((connection, lock))
}

/// SQLite opens a file that it may not write for reading, and says nothing.
pub fn refuse_read_only(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    match connection.is_readonly("main") {
        Ok(false) => Ok(()),
        Ok(true) => {
            Err(refuse(path, "it may not be written: give hookyard's user the right to write it".into()))
        }
        Err(error) => Err(unusable(path, &error)),
    }
}

/// Makes the file if it is not there. Payloads and headers are in it: only its owner may read it.
/// SQLite gives the `-wal` and the `-shm` the mode of the database.
fn create(path: &Path) -> Result<(), JournalError> {
    if path.exists() {
        return Ok(());
    }
    let made = private().open(path);
    made.map(drop).map_err(|error| refuse(path, format!("it cannot be made: {error}")))
}

/// Opens a file for writing. One that is not there is made for its owner alone; one that is keeps
/// its mode, which may have been widened on purpose.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true).mode(0o600);
    options
}

/// Opens the connection alone, of a journal that is there.
pub fn connect(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    // Else SQLite plans some statements anew with each set of parameters, which takes longer than they do.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    // Until the writer has its commits synced behind its back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // KiB. The ends of the tables that grow fit in; a commit after a page was split walks through all of it.
    connection.pragma_update(None, "cache_size", -2_048)?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    }
    Ok(connection)
}

/// Moves what the process before has left in the WAL into the database: it may have been killed before a
/// sync, or after one that failed, and only what is written here is on the disk for sure.
pub fn move_wal(connection: &Connection) -> rusqlite::Result<()> {
    let is_later = match connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE) {
        Ok((all, moved)) => moved < all,
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => true,
        // There is no room for it: what is here can be read.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => false,
        Err(error) => return Err(error),
    };
    if is_later {
        tracing::warn!("somebody reads what the last stop has left in the journal's WAL: it is moved later");
    }
    Ok(())
}

/// Opens for reading, beside a server or without one.
///
/// # Errors
/// [`JournalError::Unusable`] says what stands in the way and what to do.
pub fn read_only(path: &Path) -> Result<Connection, JournalError> {
    if !path.exists() {
        return Err(refuse(path, "there is no such file: has hookyard been started here?".into()));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connect = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_query_value(None, "schema_version", |row| row.get::<_, i64>(0))?;
        Ok(connection)
    };
    let connection = connect().map_err(|error| unusable(path, &error))?;
    match version(&connection, path)? {
        0 => Err(refuse(path, "it is empty: has hookyard been started here?".into())),
        version if version < VERSIONS.len() => Err(refuse(
            path,
            "it was written by an older hookyard: start this one once, which brings it up to date".into(),
        )),
        _ => Ok(connection),
    }
}

/// The lock file beside a database.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".lock");
    name.into()
}

fn lock(path: &Path) -> Result<File, JournalError> {
    let lock_path = lock_path(path);
    let opened = private().open(&lock_path);
    let file =
        opened.map_err(|error| refuse(path, format!("{} cannot be opened: {error}", lock_path.display())))?;
    file.try_lock().map(|()| file).map_err(|error| {
        let lock = lock_path.display();
        refuse(path, match error {
            TryLockError::WouldBlock => {
                format!("another hookyard is using it (it holds {lock}): stop that one, or set another `journal:`")
            }
            TryLockError::Error(error) => format!("{lock} cannot be locked: {error}"),
        })
    })
}

/// Makes the tables of a new file, checks those of an old one.
fn prepare(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let damaged = |error| unusable(path, &error);
    let found = version(connection, path)?;
    if found == 0 {
        return migrate(connection, found).map_err(damaged);
    }
    let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
    if bytes <= CHECKED_BYTES {
        let verdict = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        let verdict = verdict.map_err(damaged)?;
        if verdict != "ok" {
            return Err(damage(path, verdict.trim()));
        }
    }
    migrate(connection, found).map_err(damaged)
}

/// Whether a journal was not closed when it was last written, and is too large to be checked before
/// it is used. (Whoever closes it last leaves no WAL behind.)
pub fn is_unchecked(path: &Path) -> bool {
    let mut wal = OsString::from(path);
    wal.push("-wal");
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    bytes(Path::new(&wal)) > 0 && bytes(path) > CHECKED_BYTES
}

/// Checks the whole file while it is used already, and says what was found.
pub fn check_later(path: &Path) -> Result<(), JournalError> {
    let connection = read_only(path)?;
    let shown = path.display().to_string();
    let check = move || {
        let verdict = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
        let verdict = verdict.unwrap_or_else(|error| error.to_string());
        let damaged = verdict != "ok";
        metrics::gauge!("hookyard_journal_damaged").set(f64::from(u8::from(damaged)));
        match damaged {
            false => {
                tracing::info!("the journal was not closed at the last stop: it was checked and is whole")
            }
            true => tracing::error!(
                "the journal {shown} is damaged ({}): stop hookyard, keep the file, export what can be read \
                 (`hookyard journal export`) and move it aside",
                verdict.trim()
            ),
        }
    };
    let thread = std::thread::Builder::new().name("journal check".into()).spawn(check);
    thread.map(drop).map_err(|error| refuse(path, format!("no thread to check it: {error}")))
}

/// Brings the tables from a version (0: none are there) to today's, in one step.
fn migrate(connection: &Connection, from: usize) -> rusqlite::Result<()> {
    if from == VERSIONS.len() {
        return Ok(());
    }
    let (steps, to) = (VERSIONS[from..].concat(), VERSIONS.len());
    let made = connection.execute_batch(&format!(
        "BEGIN; {steps} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {to}; COMMIT;"
    ));
    if made.is_ok() && from > 0 {
        tracing::info!(from, to, "the journal's tables were brought to this version");
    }
    made
}

/// The schema version: 0 for a file without tables.
fn version(connection: &Connection, path: &Path) -> Result<usize, JournalError> {
    let newest = VERSIONS.len();
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let read = || Ok((number("application_id")?, number("user_version")?, number("schema_version")?));
    match read().map_err(|error| unusable(path, &error))? {
        (0, 0, 0) => Ok(0),
        (APPLICATION_ID, version, _) if (1..=newest).contains(&usize::try_from(version).unwrap_or(0)) => {
            Ok(version.unsigned_abs() as usize)
        }
        (APPLICATION_ID, version, _) => Err(refuse(
            path,
            format!(
                "it was written by a newer hookyard (schema {version}, this one knows {newest}): \
             start that version, or set another `journal:`"
            ),
        )),
        _ => Err(refuse(path, "it is a database of another program: set another `journal:`".into())),
    }
}

/// The refusal for an error of SQLite while opening.
pub fn unusable(path: &Path, error: &rusqlite::Error) -> JournalError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => damage(path, &error.to_string()),
        _ => refuse(path, error.to_string()),
    }
}

fn damage(path: &Path, why: &str) -> JournalError {
    let path_shown = path.display();
    refuse(
        path,
        format!(
            "it is damaged ({why}): keep the file, move it aside (`mv {path_shown} {path_shown}.damaged`, its \
         `-wal` and `-shm` too) or put a good copy in its place; without it hookyard starts with an empty journal"
        ),
    )
}

pub fn refuse(path: &Path, why: String) -> JournalError {
    JournalError::Unusable(format!("the journal {} cannot be used: {why}", path.display()))
}
