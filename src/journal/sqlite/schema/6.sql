-- Version 6: by which rules an attempt was made, and what had been refused before it was kept.

ALTER TABLE attempts ADD COLUMN generation INTEGER; -- NULL: written by an older version
ALTER TABLE events ADD COLUMN refused TEXT;         -- the sentence its sender got at its receipt; NULL: none
ALTER TABLE events ADD COLUMN taken INTEGER;        -- when it was verified again by hand, and kept
