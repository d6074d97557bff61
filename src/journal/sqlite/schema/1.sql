-- Version 1: the journal. Times are Unix milliseconds. Every key grows with time, so that a
-- commit writes to the right-hand edge of its tables and touches few pages.

CREATE TABLE events (
  seq          INTEGER PRIMARY KEY,  -- milliseconds of the id × 2^15 + a slot within them
  id           BLOB NOT NULL,        -- the ULID's 16 bytes
  fingerprint  BLOB NOT NULL,        -- SHA-256 that twins share
  received     INTEGER NOT NULL,
  dedupe_until INTEGER NOT NULL,     -- a twin received up to then is a duplicate
  generation   INTEGER,              -- NULL: not routed yet
  source       TEXT NOT NULL,
  type         TEXT,
  status       TEXT,
  rules        TEXT NOT NULL,        -- names of those that matched, with commas
  headers      BLOB NOT NULL,
  document     TEXT NOT NULL,
  body         BLOB NOT NULL
) STRICT;
CREATE INDEX events_unrouted ON events (seq) WHERE generation IS NULL;

-- The newest fingerprints: one row a commit, its blob holds pairs of (first 8 bytes, seq).
CREATE TABLE recent_prints (
  number INTEGER PRIMARY KEY,
  until  INTEGER NOT NULL,
  pairs  BLOB NOT NULL
) STRICT;
-- Older ones that are still within their window.
CREATE TABLE old_prints (
  print INTEGER NOT NULL,
  seq   INTEGER NOT NULL,
  PRIMARY KEY (print, seq)
) STRICT, WITHOUT ROWID;

-- What is left, while their window runs, of events that were removed because of the size.
CREATE TABLE removed_prints (
  seq          INTEGER PRIMARY KEY,
  id           BLOB NOT NULL,
  fingerprint  BLOB NOT NULL,
  received     INTEGER NOT NULL,
  dedupe_until INTEGER NOT NULL
) STRICT;
CREATE INDEX removed_prints_until ON removed_prints (dedupe_until);

CREATE TABLE lanes (
  lane   INTEGER PRIMARY KEY,
  rule   TEXT NOT NULL,
  action TEXT NOT NULL,
  UNIQUE (rule, action)
) STRICT;

CREATE TABLE deliveries (
  event         INTEGER NOT NULL,    -- events.seq
  lane          INTEGER NOT NULL,
  name          TEXT NOT NULL,       -- what the id has beside event, rule and action: `~2/slack-1`
  state         INTEGER NOT NULL,    -- 0 pending, 1 blocked, 2 delivered, 3 skipped, 4 dead
  due           INTEGER,             -- next try, or the end of a blocked one; NULL: ended
  attempts      INTEGER NOT NULL,
  updated       INTEGER NOT NULL,
  message       TEXT NOT NULL,
  effect_kind   TEXT,
  effect_params TEXT,
  PRIMARY KEY (event, lane, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_open ON deliveries (lane, due) WHERE due IS NOT NULL;
CREATE INDEX deliveries_blocked ON deliveries (lane, due) WHERE state = 1;
CREATE INDEX deliveries_dead ON deliveries (event) WHERE state = 4;

CREATE TABLE attempts (
  event       INTEGER NOT NULL,
  lane        INTEGER NOT NULL,
  name        TEXT NOT NULL,
  number      INTEGER NOT NULL,
  started     INTEGER NOT NULL,
  duration_us INTEGER NOT NULL,
  outcome     TEXT NOT NULL,
  message     TEXT NOT NULL,
  PRIMARY KEY (event, lane, name, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE generations (
  number    INTEGER PRIMARY KEY,
  directory TEXT NOT NULL,           -- the rule directory it was loaded from
  loaded    INTEGER NOT NULL,
  digest    BLOB NOT NULL
) STRICT;
CREATE TABLE generation_files (
  number INTEGER NOT NULL,
  path   TEXT NOT NULL,
  hash   BLOB NOT NULL,
  PRIMARY KEY (number, path)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
  hash    BLOB PRIMARY KEY,
  content BLOB NOT NULL
) STRICT;

-- How much there is, written with each commit: counting millions of rows would take seconds.
CREATE TABLE tally (
  one       INTEGER PRIMARY KEY CHECK (one = 1),
  events    INTEGER NOT NULL,
  unrouted  INTEGER NOT NULL,
  pending   INTEGER NOT NULL,
  blocked   INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  skipped   INTEGER NOT NULL,
  dead      INTEGER NOT NULL
) STRICT;
INSERT INTO tally VALUES (1, 0, 0, 0, 0, 0, 0, 0);
