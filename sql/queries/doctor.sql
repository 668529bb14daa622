-- What tm_doctor asks beside sql/invariants.sql.

-- name: doctor_foreign_keys
-- columns: (detail)
SELECT m.name || ' has a row that points at no row of ' || f.parent
FROM main.sqlite_schema AS m
CROSS JOIN main.pragma_foreign_key_check(m.name, 'main') AS f
WHERE m.type = 'table' AND m.name GLOB 'tm_*'
LIMIT 1;

-- The CHECKs, NOT NULLs and types of our tables. SQLite names the table, and the CHECK not.
-- name: doctor_constraints
-- columns: (detail)
SELECT CASE WHEN instr(c.quick_check, m.name) THEN '' ELSE m.name || ': ' END || c.quick_check
FROM main.sqlite_schema AS m
CROSS JOIN main.pragma_quick_check(m.name, 'main') AS c
WHERE m.type = 'table' AND m.name GLOB 'tm_*' AND c.quick_check <> 'ok'
LIMIT 1;

-- name: doctor_ignores_checks
-- columns: (is_on)
PRAGMA ignore_check_constraints;

-- name: doctor_synchronous
-- columns: (level)
PRAGMA main.synchronous;

-- name: doctor_lapsed
-- columns: (tasks) (oldest_ms)
SELECT count(*), min(lease_until_ms)
FROM main.tm_task
WHERE state IN ('running', 'cancelling') AND lease_until_ms <= :now_ms;

-- name: doctor_oldest
-- columns: id queue (since_ms)
SELECT id, queue, max(run_at_ms, created_ms)
FROM main.tm_task
WHERE state = 'available'
ORDER BY max(run_at_ms, created_ms)
LIMIT 1;

-- Groups that somebody waits for, with nothing left to do and not sealed: was that forgotten?
-- name: doctor_groups
-- columns: (groups) (first)
SELECT count(*), min(g.name)
FROM main.tm_group AS g
WHERE NOT g.is_sealed
  AND g.open = 0
  AND g.created_ms <= :now_ms - 86400000
  AND EXISTS (SELECT 1 FROM main.tm_group_wait WHERE group_name = g.name AND status = 0);

-- by: the tables of others that may keep a task. What an unfinished task needs stays by rights.
-- name: doctor_in_use
-- columns: (tasks) (first_id) (by)
SELECT
  count(*),
  min(f.task_id),
  (
    SELECT group_concat(m.name, ', ')
    FROM main.sqlite_schema AS m
    WHERE m.type = 'table'
      AND m.name NOT GLOB 'tm_*'
      AND EXISTS (
        SELECT 1 FROM main.pragma_foreign_key_list(m.name, 'main') AS k WHERE lower(k."table") = 'tm_task'
      )
  )
FROM main.tm_finished AS f
JOIN main.tm_task AS t ON t.id = f.task_id
WHERE f.phase = 'in_use'
  AND t.finished_ms IS NOT NULL
  AND NOT EXISTS (
    SELECT 1
    FROM main.tm_dependency AS d INDEXED BY tm_dependency_needed
    CROSS JOIN main.tm_task AS x ON x.id = d.task_id
    WHERE d.needs_id = f.task_id AND x.finished_ms IS NULL
  );
