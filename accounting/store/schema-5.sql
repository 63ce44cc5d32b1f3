-- Schema 5: jobs that were not metered, booked from what slurmdbd knows of them. Applied on schema 4.
-- SQL that SQLite 3.26 and PostgreSQL 13 both speak. Names and units as in schema 1.

-- One row for each allocation of stream 'backfill'. Its energy is in `energy` (sensor
-- 'backfill:ConsumedEnergy' or 'backfill:TRES', quality modelled) and in node_total; its node has no
-- batch of that time, and where one comes after all the row goes, with everything that hangs on it.
CREATE TABLE backfill (
    allocation_key INTEGER PRIMARY KEY REFERENCES allocation (allocation_key),
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    begin_ns BIGINT NOT NULL,           -- as of the allocation
    end_ns BIGINT NOT NULL,
    source TEXT NOT NULL,               -- ConsumedEnergy | TRES
    made_by TEXT NOT NULL,
    made_s BIGINT NOT NULL
);
CREATE INDEX backfill_by_end ON backfill (node_key, end_ns);

-- Its energy: the audit's other side, as batch_component is of batches.
CREATE TABLE backfill_component (
    allocation_key INTEGER NOT NULL REFERENCES backfill (allocation_key),
    component TEXT NOT NULL,
    energy_mj BIGINT NOT NULL,
    PRIMARY KEY (allocation_key, component)
);
