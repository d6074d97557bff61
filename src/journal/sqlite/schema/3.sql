-- Version 3: storms held back, and deliveries in order.

CREATE TABLE windows (
  id     INTEGER PRIMARY KEY,
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
  recent BLOB NOT NULL               -- threshold: pairs of (received, events.seq), 16 bytes each
) STRICT;
CREATE INDEX windows_key ON windows (rule, key, id);
CREATE INDEX windows_until ON windows (until);

-- What a collection holds.
CREATE TABLE window_events (
  window INTEGER NOT NULL,
  event  INTEGER NOT NULL,
  PRIMARY KEY (window, event)
) STRICT, WITHOUT ROWID;
CREATE INDEX window_events_event ON window_events (event);

ALTER TABLE deliveries ADD COLUMN window INTEGER;     -- windows.id
ALTER TABLE deliveries ADD COLUMN order_key TEXT;     -- one at a time of a lane with the same key
ALTER TABLE deliveries ADD COLUMN parked INTEGER;     -- when it would be due, while others come first
CREATE INDEX deliveries_window ON deliveries (window) WHERE window IS NOT NULL AND due IS NOT NULL;
CREATE INDEX deliveries_order ON deliveries (lane, order_key, event, name)
  WHERE order_key IS NOT NULL AND due IS NOT NULL;

ALTER TABLE tally ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0;
