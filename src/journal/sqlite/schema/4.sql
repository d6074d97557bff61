-- Version 4: what an operator does by hand, and what an event's timeline shows.

ALTER TABLE events ADD COLUMN verified TEXT;                -- what was signed, and with which secret: `python 0`
ALTER TABLE deliveries ADD COLUMN counted_from INTEGER;     -- since when its retry time counts; NULL: since receipt
ALTER TABLE deliveries ADD COLUMN earlier_attempts INTEGER; -- those that its schedule does not count any more
ALTER TABLE attempts ADD COLUMN answer_status INTEGER;      -- NULL: there was no answer
ALTER TABLE attempts ADD COLUMN answer TEXT;                -- its beginning
ALTER TABLE attempts ADD COLUMN answer_cut INTEGER;         -- whether there was more
ALTER TABLE attempts ADD COLUMN request TEXT;               -- its parameters as shown, or their beginning

-- Events that were routed again; the first time stands in their own row.
CREATE TABLE replays (
  event      INTEGER NOT NULL,       -- events.seq
  number     INTEGER NOT NULL,       -- from 2
  at         INTEGER NOT NULL,
  generation INTEGER NOT NULL,
  rules      TEXT NOT NULL,          -- names of those that matched, with commas
  PRIMARY KEY (event, number)
) STRICT, WITHOUT ROWID;
