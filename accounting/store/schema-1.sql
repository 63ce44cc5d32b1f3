-- Schema 1. SQL that SQLite 3.26 and PostgreSQL 13 both speak.
-- Units are in every name: _mj millijoules, _ms milliseconds, _s seconds (UTC, since 1970 where it
-- is an instant), _ns nanoseconds. Amounts are 64-bit integers.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    content TEXT NOT NULL
);

CREATE TABLE node (
    node_key INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    name TEXT NOT NULL,
    packages INTEGER NOT NULL,
    cores INTEGER NOT NULL,
    gpus INTEGER NOT NULL,
    memory_mb BIGINT NOT NULL,
    UNIQUE (cluster, name)
);

-- One sealed batch, counted once. A stream's batches are seq 1, 2, … without a hole.
CREATE TABLE batch (
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    stream TEXT NOT NULL,               -- 16 hexadecimal digits
    seq BIGINT NOT NULL,
    crc32 TEXT NOT NULL,                -- of the file as delivered
    boot_id TEXT NOT NULL,
    version TEXT NOT NULL,
    begin_boottime_ns BIGINT NOT NULL,
    end_boottime_ns BIGINT NOT NULL,
    begin_wall_ns BIGINT NOT NULL,
    end_wall_ns BIGINT NOT NULL,
    marks_bad BIGINT NOT NULL,
    batches_dropped BIGINT NOT NULL,
    loaded_s BIGINT NOT NULL,
    PRIMARY KEY (node_key, stream, seq)
);
CREATE INDEX batch_by_end ON batch (node_key, end_wall_ns);

-- What the counters counted in this batch, cumulative in the stream: the audit's other side.
CREATE TABLE batch_component (
    node_key INTEGER NOT NULL,
    stream TEXT NOT NULL,
    seq BIGINT NOT NULL,
    component TEXT NOT NULL,            -- cpu | memory | gpu | other
    begin_uj BIGINT NOT NULL,
    end_uj BIGINT NOT NULL,
    PRIMARY KEY (node_key, stream, seq, component),
    FOREIGN KEY (node_key, stream, seq) REFERENCES batch (node_key, stream, seq)
);

-- One run of a job: a requeue, and a later job of the same id, are rows of their own.
CREATE TABLE job (
    job_key INTEGER PRIMARY KEY,
    cluster TEXT NOT NULL,
    job_id BIGINT NOT NULL,
    restart_count INTEGER NOT NULL,
    sluid TEXT,
    uid BIGINT, gid BIGINT,
    user_name TEXT, account TEXT, partition_name TEXT, qos TEXT, job_name TEXT,
    array_job_id BIGINT, array_task_id BIGINT,
    het_job_id BIGINT, het_offset BIGINT,
    node_count INTEGER,                 -- as Slurm said; how many reported is in allocation
    begin_s BIGINT NOT NULL,            -- earliest on any node
    end_s BIGINT,                       -- latest; NULL while any known allocation is open
    exit_status INTEGER,                -- as wait(2) gives it; the worst over nodes
    flags BIGINT NOT NULL DEFAULT 0     -- FLAG_* of core/batch.h, or-ed over nodes
);
CREATE INDEX job_by_id ON job (job_id, cluster);
CREATE INDEX job_by_array ON job (array_job_id);
CREATE INDEX job_by_het ON job (het_job_id);
CREATE INDEX job_by_sluid ON job (sluid);
CREATE INDEX job_by_begin ON job (begin_s);
CREATE INDEX job_by_user ON job (uid, begin_s);
CREATE INDEX job_by_user_name ON job (user_name, begin_s);
CREATE INDEX job_by_account ON job (account, begin_s);

-- A job on one node. (node, stream, ref) is how batches name it.
CREATE TABLE allocation (
    allocation_key INTEGER PRIMARY KEY,
    job_key INTEGER NOT NULL REFERENCES job (job_key),
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    stream TEXT NOT NULL,
    ref BIGINT NOT NULL,
    begin_ns BIGINT NOT NULL,           -- wall clock, ns since 1970
    end_ns BIGINT,                      -- NULL while open; seen_ns, flagged end_lost, once a newer
                                        -- stream of the node says no more of it
    seen_ns BIGINT NOT NULL,            -- booked up to here, wall clock
    seen_seq BIGINT NOT NULL,           -- by this batch of the stream: a lower seq is older news
    cores INTEGER NOT NULL,             -- count; 0 unknown
    core_list TEXT NOT NULL,            -- "0-3": Slurm's abstract ids
    gpus INTEGER NOT NULL,
    gpu_list TEXT NOT NULL,
    memory_mb BIGINT NOT NULL,          -- 0 unknown
    flags BIGINT NOT NULL DEFAULT 0,
    UNIQUE (node_key, stream, ref)
);
CREATE INDEX allocation_by_job ON allocation (job_key, node_key);
CREATE INDEX allocation_by_node ON allocation (node_key, begin_ns);
CREATE INDEX allocation_open_of_job ON allocation (job_key) WHERE end_ns IS NULL;
CREATE INDEX allocation_open_on_node ON allocation (node_key) WHERE end_ns IS NULL;

-- A step on one node.
CREATE TABLE step (
    job_key INTEGER NOT NULL REFERENCES job (job_key),
    step_id BIGINT NOT NULL,            -- Slurm's number; batch 4294967291, extern …292, interactive …290
    allocation_key INTEGER NOT NULL REFERENCES allocation (allocation_key),
    begin_ns BIGINT NOT NULL,
    end_ns BIGINT,
    seen_seq BIGINT NOT NULL,           -- as in allocation
    cpu_ns BIGINT NOT NULL,
    exit_status INTEGER,
    cores INTEGER NOT NULL,
    gpus INTEGER NOT NULL,
    gpu_list TEXT NOT NULL,
    flags BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (job_key, step_id, allocation_key)
);

-- Energy of one owner on one node in one UTC hour. step_id -1: the job's remainder; job_key 0:
-- no job, and then step_id -1 is unallocated, -2 is system. Sums over batches of the same key.
CREATE TABLE energy (
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    hour_s BIGINT NOT NULL,
    job_key INTEGER NOT NULL,
    step_id BIGINT NOT NULL,
    component TEXT NOT NULL,
    quality TEXT NOT NULL,              -- measured | modelled | gap
    sensor TEXT NOT NULL,
    active_mj BIGINT NOT NULL,
    idle_mj BIGINT NOT NULL,
    metered_ms BIGINT NOT NULL,         -- domain-seconds: coverage = metered / elapsed
    elapsed_ms BIGINT NOT NULL,
    PRIMARY KEY (node_key, hour_s, job_key, step_id, component, quality, sensor)
);
CREATE INDEX energy_by_job ON energy (job_key, hour_s);

-- counted = sum of energy rows, for every (node, hour, component), exactly.
CREATE TABLE node_total (
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    hour_s BIGINT NOT NULL,
    component TEXT NOT NULL,
    counted_mj BIGINT NOT NULL,
    PRIMARY KEY (node_key, hour_s, component)
);

-- Mean power of a job on a node per UTC minute: energy over the part of it that the job lived.
CREATE TABLE power (
    job_key INTEGER NOT NULL REFERENCES job (job_key),
    node_key INTEGER NOT NULL REFERENCES node (node_key),
    minute_s BIGINT NOT NULL,
    energy_mj BIGINT NOT NULL,
    span_ms BIGINT NOT NULL,
    PRIMARY KEY (job_key, minute_s, node_key)
);

-- What could not be loaded, and why. The file itself lies in the quarantine directory.
CREATE TABLE quarantine (
    file_name TEXT PRIMARY KEY,
    reason TEXT NOT NULL,
    since_s BIGINT NOT NULL
);
