-- Schema 4: what slurmdbd says of a job. Applied on schema 3.
-- SQL that SQLite 3.26 and PostgreSQL 13 both speak. Names and units as in schema 1.

-- Once state is there, account, user, partition, QOS, name and the relations of arrays and
-- heterogeneous jobs are slurmdbd's, and what nodes say of them only fills what it left out.
ALTER TABLE job ADD COLUMN state TEXT;          -- COMPLETED, TIMEOUT, …: sacct's first word
ALTER TABLE job ADD COLUMN submit_s BIGINT;
ALTER TABLE job ADD COLUMN alloc_tres TEXT;     -- as sacct writes it: cpu=4,mem=8G,node=1
ALTER TABLE job ADD COLUMN reconciled_s BIGINT; -- when slurmdbd had said its last; NULL: to be asked
CREATE INDEX job_to_reconcile ON job (begin_s) WHERE reconciled_s IS NULL;
