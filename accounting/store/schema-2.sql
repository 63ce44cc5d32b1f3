-- Schema 2: factor sets, sums that make reports quick, power by component. Applied on schema 1, and
-- then sums.sql makes the sums from the rows that are there: both in one transaction.
-- SQL that SQLite 3.26 and PostgreSQL 13 both speak. Names and units as in schema 1; _ug
-- micrograms. A table that ends in "clustered" is read in ranges of its key, and should lie in that
-- order: for SQLite it is made WITHOUT ROWID.

-- Everything besides the books that a figure rests on, as it was at one time. A fact is in set S
-- when since_set <= S and (until_set IS NULL or S < until_set); facts are never changed or removed,
-- so that a report can be made again with an old set.
CREATE TABLE factor_set (
    factor_set INTEGER PRIMARY KEY,     -- 1, 2, …
    made_s BIGINT NOT NULL,
    made_by TEXT NOT NULL               -- what was done: "carbonctl grid import fr.csv"
);

-- Texts as they stood in their files: settings (of carbon.conf), inventory.conf and the tables that
-- are shipped with the tools. Read by the parsers that read the files.
CREATE TABLE factor_document (
    name TEXT NOT NULL,                 -- store/factors.h says which there are
    since_set INTEGER NOT NULL REFERENCES factor_set (factor_set),
    until_set INTEGER REFERENCES factor_set (factor_set),
    content TEXT NOT NULL,
    PRIMARY KEY (name, since_set)
);

-- Average intensity of a grid over time, as imported. kind is always average: marginal is refused.
CREATE TABLE grid_series (
    series_key INTEGER PRIMARY KEY,
    zone TEXT NOT NULL,                 -- upper case
    basis TEXT NOT NULL,                -- lifecycle | direct
    scope TEXT NOT NULL,                -- generation | consumption
    source TEXT NOT NULL,               -- whose figures; printed with every result
    UNIQUE (zone, basis, scope, source)
);
CREATE TABLE grid_intensity (
    series_key INTEGER NOT NULL REFERENCES grid_series (series_key),
    begin_s BIGINT NOT NULL,
    end_s BIGINT NOT NULL,
    ug_per_kwh BIGINT NOT NULL,
    estimated INTEGER NOT NULL,         -- 1: a forecast, or estimated by the source
    since_set INTEGER NOT NULL REFERENCES factor_set (factor_set),
    until_set INTEGER REFERENCES factor_set (factor_set),
    PRIMARY KEY (series_key, begin_s, since_set)
);

-- In which UTC months an allocation lived: [begin_ns, end_ns or seen_ns] of its row.
CREATE TABLE allocation_month (
    month_s BIGINT NOT NULL,            -- first second of the month
    allocation_key INTEGER NOT NULL REFERENCES allocation (allocation_key),
    PRIMARY KEY (month_s, allocation_key)
);  -- clustered

-- Sums of `energy`, kept with every batch: of a job over its nodes, steps and components.
CREATE TABLE job_hour (
    hour_s BIGINT NOT NULL,
    job_key INTEGER NOT NULL,
    active_mj BIGINT NOT NULL,
    idle_mj BIGINT NOT NULL,
    measured_mj BIGINT NOT NULL,        -- of active and idle, by quality; the rest is of gaps
    modelled_mj BIGINT NOT NULL,
    metered_ms BIGINT NOT NULL,
    elapsed_ms BIGINT NOT NULL,
    gap_ms BIGINT NOT NULL,             -- of elapsed_ms, in rows of quality gap
    PRIMARY KEY (hour_s, job_key)
);  -- clustered

-- Sums of `energy` of a node, with the other side of the books: counted_mj is from node_total.
CREATE TABLE node_hour (
    hour_s BIGINT NOT NULL,
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    counted_mj BIGINT NOT NULL,
    active_mj BIGINT NOT NULL,          -- of jobs
    idle_mj BIGINT NOT NULL,            -- of jobs
    system_mj BIGINT NOT NULL,
    unallocated_mj BIGINT NOT NULL,
    measured_mj BIGINT NOT NULL,        -- of all four, by quality
    modelled_mj BIGINT NOT NULL,
    metered_ms BIGINT NOT NULL,
    elapsed_ms BIGINT NOT NULL,
    gap_ms BIGINT NOT NULL,
    PRIMARY KEY (hour_s, node_key)
);  -- clustered

-- node_hour summed over the nodes of a cluster.
CREATE TABLE cluster_hour (
    cluster TEXT NOT NULL,
    hour_s BIGINT NOT NULL,
    counted_mj BIGINT NOT NULL,
    active_mj BIGINT NOT NULL,
    idle_mj BIGINT NOT NULL,
    system_mj BIGINT NOT NULL,
    unallocated_mj BIGINT NOT NULL,
    measured_mj BIGINT NOT NULL,
    modelled_mj BIGINT NOT NULL,
    metered_ms BIGINT NOT NULL,
    elapsed_ms BIGINT NOT NULL,
    gap_ms BIGINT NOT NULL,
    PRIMARY KEY (cluster, hour_s)
);  -- clustered

-- Most jobs are of no array and no heterogeneous job, and have no SLUID: indexes without them stay
-- small, and are never taken for useless by a planner that has statistics.
DROP INDEX job_by_array;
DROP INDEX job_by_het;
DROP INDEX job_by_sluid;
CREATE INDEX job_by_array ON job (array_job_id) WHERE array_job_id IS NOT NULL;
CREATE INDEX job_by_het ON job (het_job_id) WHERE het_job_id IS NOT NULL;
CREATE INDEX job_by_sluid ON job (sluid) WHERE sluid IS NOT NULL;

-- Highest one-minute mean power of a job over all its nodes, kept when its minutes are pruned.
ALTER TABLE job ADD COLUMN peak_mw BIGINT;
ALTER TABLE job ADD COLUMN peak_minute_s BIGINT;
ALTER TABLE job ADD COLUMN peak_span_ms BIGINT; -- of that minute: below 10 s it yields to any longer

-- Power per minute, now by component; "all" where the meter did not tell them apart.
ALTER TABLE power RENAME TO power_1;
CREATE TABLE power (
    job_key INTEGER NOT NULL REFERENCES job (job_key),
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    minute_s BIGINT NOT NULL,
    component TEXT NOT NULL,            -- cpu | memory | gpu | other | all
    energy_mj BIGINT NOT NULL,
    span_ms BIGINT NOT NULL,            -- of the minute, that the job lived and this was metered
    PRIMARY KEY (job_key, minute_s, node_key, component)
);  -- clustered
INSERT INTO power (job_key, node_key, minute_s, component, energy_mj, span_ms)
    SELECT job_key, node_key, minute_s, 'all', energy_mj, span_ms FROM power_1;
DROP TABLE power_1;
