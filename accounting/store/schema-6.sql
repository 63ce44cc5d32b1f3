-- Schema 6: old batches become runs. Applied on schema 5.
-- SQL that SQLite 3.26 and PostgreSQL 13 both speak. Names and units as in schema 1.

-- A row of `batch` with a first_seq stands for all batches from first_seq to seq: none of them is
-- missing, each began where the one before it ended, and every counter went on. Times begin with the
-- first of them and end with the last, begin_uj is the first's and end_uj the last's; all else is
-- the last's. NULL: the batch of this seq alone. store/fold.h says when rows become one.
ALTER TABLE batch ADD COLUMN first_seq BIGINT;
