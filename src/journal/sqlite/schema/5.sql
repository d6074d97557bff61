-- Version 5: a window stays for as long as a delivery of it may be made, and its number is not used again.

ALTER TABLE windows RENAME TO old_windows;
CREATE TABLE windows (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  kind   INTEGER NOT NULL,           -- 0 throttle, 1 debounce, 2 threshold, 3 collect
  rule   TEXT NOT NULL,
  key    TEXT NOT NULL,
  first  INTEGER NOT NULL,           -- events.seq
  last   INTEGER NOT NULL,
  count  INTEGER NOT NULL,           -- events so far
  shown  INTEGER,                    -- what its deliveries see as `window.count`; NULL: `count`
  bytes  INTEGER NOT NULL,           -- documents of a collection
  opened INTEGER NOT NULL,
  until  INTEGER NOT NULL,           -- from then on the next event begins another
  recent BLOB NOT NULL,              -- threshold: pairs of (received, events.seq), 16 bytes each
  held   INTEGER NOT NULL DEFAULT 0  -- 1: it ended, and goes with the last delivery that may still be made
) STRICT;
INSERT INTO windows (id, kind, rule, key, first, last, count, shown, bytes, opened, until, recent)
  SELECT id, kind, rule, key, first, last, count, shown, bytes, opened, until, recent FROM old_windows;
DROP TABLE old_windows;
CREATE INDEX windows_key ON windows (rule, key, id);
CREATE INDEX windows_until ON windows (until) WHERE held = 0;

DROP INDEX deliveries_window;
CREATE INDEX deliveries_window ON deliveries (window)
  WHERE window IS NOT NULL AND (due IS NOT NULL OR state = 4);

-- Numbers that deliveries still have of windows that are gone are not given again.
INSERT INTO sqlite_sequence (name, seq)
  SELECT 'windows', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'windows');
UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT max(window) FROM deliveries
  WHERE window IS NOT NULL AND (due IS NOT NULL OR state = 4)), 0)) WHERE name = 'windows';
-- Where that has happened, a delivery must not be made with what another rule or key held back.
UPDATE deliveries SET window = NULL
  WHERE window IS NOT NULL AND (due IS NOT NULL OR state = 4) AND NOT EXISTS
  (SELECT 1 FROM windows w JOIN lanes l ON l.rule = w.rule WHERE w.id = deliveries.window
    AND l.lane = deliveries.lane AND deliveries.event BETWEEN min(w.first, w.last) AND max(w.first, w.last));
