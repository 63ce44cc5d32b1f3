-- Fill a database of schema 1 with the rows of `new`, an attached one of a newer schema: what a
-- meter of today delivers, as a slurm-carbon of then would have kept it.
INSERT INTO meta SELECT * FROM new.meta;
INSERT INTO node SELECT * FROM new.node;
INSERT INTO batch SELECT node_key, stream, seq, crc32, boot_id, version, begin_boottime_ns,
    end_boottime_ns, begin_wall_ns, end_wall_ns, marks_bad, batches_dropped, loaded_s FROM new.batch;
INSERT INTO batch_component SELECT * FROM new.batch_component;
INSERT INTO job SELECT job_key, cluster, job_id, restart_count, sluid, uid, gid, user_name, account,
    partition_name, qos, job_name, array_job_id, array_task_id, het_job_id, het_offset, node_count,
    begin_s, end_s, exit_status, flags FROM new.job;
INSERT INTO allocation SELECT * FROM new.allocation;
INSERT INTO step SELECT * FROM new.step;
INSERT INTO energy SELECT * FROM new.energy;
INSERT INTO node_total SELECT * FROM new.node_total;
INSERT INTO power SELECT job_key, node_key, minute_s, SUM(energy_mj), MAX(span_ms) FROM new.power
    GROUP BY job_key, node_key, minute_s;
INSERT INTO quarantine SELECT * FROM new.quarantine;
PRAGMA application_id = 1130459746;
PRAGMA user_version = 1;
