-- Schema 3: what was given up for good. Applied on schema 2.
-- SQL that SQLite 3.26 and PostgreSQL 13 both speak. Names and units as in schema 1.

-- Batches that will never come, written off by a person: seqs of a stream that no row of `batch` has
-- and no other row here. Where all that is missing between two batches is given up, `energy` has
-- rows of quality gap, sensor 'lost', for the time between them: coverage states it.
CREATE TABLE loss (
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    stream TEXT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    reason TEXT NOT NULL,
    made_by TEXT NOT NULL,              -- who, as the system names him
    made_s BIGINT NOT NULL,
    PRIMARY KEY (node_key, stream, first_seq)
);
