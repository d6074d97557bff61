-- Version 8: what follows from the request is not kept beside it.

-- By which preset the document is made of headers and body again: then `document` is empty.
ALTER TABLE events ADD COLUMN preset TEXT;
