-- Version 7: what is delivered at once costs one row, written when its outcome is known.

-- Deliveries that are due from their receipt on and wait for nothing stand in their event's row only, as
-- a JSON list of lanes, until they have an outcome or something else wants to change them.
ALTER TABLE events ADD COLUMN fresh TEXT;
-- No event before this key has such a delivery without a row.
ALTER TABLE tally ADD COLUMN fresh_from INTEGER NOT NULL DEFAULT 9223372036854775807;
CREATE VIEW fresh AS
  SELECT e.seq AS event, j.value AS lane, '' AS name, 0 AS state, e.received AS due, 0 AS attempts,
         e.received AS updated, '' AS message
  FROM events e CROSS JOIN json_each(e.fresh) j
  WHERE e.seq >= (SELECT fresh_from FROM tally) AND e.fresh IS NOT NULL AND NOT EXISTS
    (SELECT 1 FROM deliveries d WHERE d.event = e.seq AND d.lane = j.value AND d.name = '');

-- The first attempt stands in its delivery's row; most deliveries have no other.
ALTER TABLE deliveries ADD COLUMN started INTEGER;       -- NULL: none, or it stands in `attempts`
ALTER TABLE deliveries ADD COLUMN duration_us INTEGER;
ALTER TABLE deliveries ADD COLUMN generation INTEGER;
ALTER TABLE deliveries ADD COLUMN outcome TEXT;
ALTER TABLE deliveries ADD COLUMN said TEXT;             -- its message; NULL: the delivery's own, which it ended
ALTER TABLE deliveries ADD COLUMN request TEXT;
ALTER TABLE deliveries ADD COLUMN answer_status INTEGER;
ALTER TABLE deliveries ADD COLUMN answer TEXT;
ALTER TABLE deliveries ADD COLUMN answer_cut INTEGER;
CREATE VIEW all_attempts AS
  SELECT event, lane, name, 1 AS number, started, duration_us, outcome, coalesce(said, message) AS message,
         answer_status, answer, answer_cut, request, generation
  FROM deliveries WHERE started IS NOT NULL
  UNION ALL
  SELECT event, lane, name, number, started, duration_us, outcome, message, answer_status, answer, answer_cut,
         request, generation
  FROM attempts;

-- Until when an old fingerprint matters; NULL: an older version wrote it, and its event's row says.
ALTER TABLE old_prints ADD COLUMN until INTEGER;
