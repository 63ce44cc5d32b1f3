-- The sums of schema 2, made anew from the rows that they are sums of. Loading keeps them with every
-- batch; this is for an upgrade, and for who puts rows in by hand. Where rows are by the day since
-- they are old (roll.h), the sums by the hour are all that is left of the hours, and stay.
-- SQL that SQLite 3.26 and PostgreSQL 13 both speak.

DELETE FROM job_hour WHERE hour_s >= COALESCE(
    (SELECT CAST(content AS BIGINT) FROM meta WHERE name = 'energy_rolled_before_s'), 0);
INSERT INTO job_hour (hour_s, job_key, active_mj, idle_mj, measured_mj, modelled_mj, metered_ms,
    elapsed_ms, gap_ms)
    SELECT hour_s, job_key, SUM(active_mj), SUM(idle_mj),
        SUM(CASE WHEN quality = 'measured' THEN active_mj + idle_mj ELSE 0 END),
        SUM(CASE WHEN quality = 'modelled' THEN active_mj + idle_mj ELSE 0 END),
        SUM(metered_ms), SUM(elapsed_ms),
        SUM(CASE WHEN quality = 'gap' THEN elapsed_ms ELSE 0 END)
    FROM energy WHERE job_key > 0 AND hour_s >= COALESCE(
        (SELECT CAST(content AS BIGINT) FROM meta WHERE name = 'energy_rolled_before_s'), 0)
    GROUP BY hour_s, job_key;

DELETE FROM node_hour WHERE hour_s >= COALESCE(
    (SELECT CAST(content AS BIGINT) FROM meta WHERE name = 'energy_rolled_before_s'), 0);
INSERT INTO node_hour (hour_s, node_key, counted_mj, active_mj, idle_mj, system_mj, unallocated_mj,
    measured_mj, modelled_mj, metered_ms, elapsed_ms, gap_ms)
    SELECT hour_s, node_key, SUM(counted_mj), SUM(active_mj), SUM(idle_mj), SUM(system_mj),
        SUM(unallocated_mj), SUM(measured_mj), SUM(modelled_mj), SUM(metered_ms), SUM(elapsed_ms),
        SUM(gap_ms)
    FROM (
        SELECT hour_s, node_key, counted_mj, 0 AS active_mj, 0 AS idle_mj, 0 AS system_mj,
            0 AS unallocated_mj, 0 AS measured_mj, 0 AS modelled_mj, 0 AS metered_ms,
            0 AS elapsed_ms, 0 AS gap_ms
        FROM node_total
        UNION ALL
        SELECT hour_s, node_key, 0,
            CASE WHEN job_key > 0 THEN active_mj ELSE 0 END,
            CASE WHEN job_key > 0 THEN idle_mj ELSE 0 END,
            CASE WHEN job_key = 0 AND step_id = -2 THEN active_mj + idle_mj ELSE 0 END,
            CASE WHEN job_key = 0 AND step_id = -1 THEN active_mj + idle_mj ELSE 0 END,
            CASE WHEN quality = 'measured' THEN active_mj + idle_mj ELSE 0 END,
            CASE WHEN quality = 'modelled' THEN active_mj + idle_mj ELSE 0 END,
            metered_ms, elapsed_ms,
            CASE WHEN quality = 'gap' THEN elapsed_ms ELSE 0 END
        FROM energy
    ) AS parts WHERE hour_s >= COALESCE(
        (SELECT CAST(content AS BIGINT) FROM meta WHERE name = 'energy_rolled_before_s'), 0)
    GROUP BY hour_s, node_key;

DELETE FROM cluster_hour;
INSERT INTO cluster_hour (cluster, hour_s, counted_mj, active_mj, idle_mj, system_mj,
    unallocated_mj, measured_mj, modelled_mj, metered_ms, elapsed_ms, gap_ms)
    SELECT node.cluster, hour_s, SUM(counted_mj), SUM(active_mj), SUM(idle_mj), SUM(system_mj),
        SUM(unallocated_mj), SUM(measured_mj), SUM(modelled_mj), SUM(metered_ms), SUM(elapsed_ms),
        SUM(gap_ms)
    FROM node_hour JOIN node ON node.node_key = node_hour.node_key GROUP BY node.cluster, hour_s;

-- Months from 1970 to the last one needed, in plain arithmetic: neither database knows the other's
-- functions of dates. DISTINCT has SQLite make the short list of those needed once.
DELETE FROM allocation_month;
INSERT INTO allocation_month (month_s, allocation_key)
    WITH RECURSIVE life (allocation_key, begin_s, end_s) AS (
        SELECT allocation_key, begin_ns / 1000000000,
            CASE WHEN COALESCE(end_ns, seen_ns) < begin_ns THEN begin_ns
                ELSE COALESCE(end_ns, seen_ns) END / 1000000000
        FROM allocation
    ), month (year, number, begin_s, days) AS (
        SELECT 1970, 1, CAST(0 AS BIGINT), 31
        UNION ALL
        SELECT year + number / 12, number % 12 + 1, begin_s + days * 86400,
            CASE number % 12 + 1
                WHEN 2 THEN CASE WHEN year % 4 = 0 AND (year % 100 <> 0 OR year % 400 = 0)
                    THEN 29 ELSE 28 END
                WHEN 4 THEN 30 WHEN 6 THEN 30 WHEN 9 THEN 30 WHEN 11 THEN 30 ELSE 31 END
        FROM month WHERE begin_s + days * 86400 <= (SELECT MAX(end_s) FROM life)
    )
    SELECT needed.begin_s, life.allocation_key FROM life JOIN (
        SELECT DISTINCT begin_s, begin_s + days * 86400 AS next_s FROM month
            WHERE begin_s + days * 86400 > (SELECT MIN(begin_s) FROM life)
    ) AS needed ON needed.begin_s <= life.end_s AND needed.next_s > life.begin_s;
