-- Version 2: the state of scripts, and events that hookyard itself derives.

CREATE TABLE kv (
  namespace TEXT NOT NULL,
  key       TEXT NOT NULL,
  value     TEXT NOT NULL,           -- JSON
  expires   INTEGER,                 -- Unix milliseconds; from then on it is absent
  PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kv_expires ON kv (expires) WHERE expires IS NOT NULL;

-- How much each namespace holds, kept by the triggers below.
CREATE TABLE kv_sizes (
  namespace TEXT PRIMARY KEY,
  keys      INTEGER NOT NULL,
  bytes     INTEGER NOT NULL         -- of keys and values
) STRICT, WITHOUT ROWID;
CREATE TRIGGER kv_added AFTER INSERT ON kv BEGIN
  INSERT INTO kv_sizes VALUES (new.namespace, 1, octet_length(new.key) + octet_length(new.value))
  ON CONFLICT (namespace) DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER kv_changed AFTER UPDATE OF value ON kv BEGIN
  UPDATE kv_sizes SET bytes = bytes + octet_length(new.value) - octet_length(old.value)
  WHERE namespace = new.namespace;
END;
CREATE TRIGGER kv_removed AFTER DELETE ON kv BEGIN
  UPDATE kv_sizes SET keys = keys - 1, bytes = bytes - octet_length(old.key) - octet_length(old.value)
  WHERE namespace = old.namespace;
  DELETE FROM kv_sizes WHERE namespace = old.namespace AND keys = 0;
END;

-- The event that a derived one goes back to: its descendants are counted.
ALTER TABLE events ADD COLUMN root BLOB;
CREATE INDEX events_root ON events (root) WHERE root IS NOT NULL;
