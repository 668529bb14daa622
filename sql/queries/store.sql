-- What the store itself asks.

-- The keeper is connected by this statement being prepared.
-- name: context_keep
SELECT 1 FROM main.tm_keeper;

-- The atomic scope: SQLite keeps a statement journal for INSERT ... SELECT into a
-- virtual table, so whatever its xUpdate writes is kept whole or undone whole.
-- name: scope_enter
INSERT INTO main.tm_command (verb) SELECT :call;

-- The row of a scope that went into somebody's own table of that name.
-- name: scope_take_back
DELETE FROM main.tm_command WHERE rowid = last_insert_rowid() AND verb IS NULL;

-- The same for a step inside a verb, which may fail and the verb go on.
-- name: scope_step
INSERT INTO main.tm_command (verb) SELECT :step;

-- The beginning of every verb that does not read its task or its queue first. What
-- those read begins with the same two columns, and the rest is kept with the stamp.
-- name: run_begin
-- columns: stamp clock_ms (version) strict_queues last_deleted_task_id last_deleted_event_id (newest_task_id) (newest_event_id) unsettled_id has_times
SELECT
  stamp,
  clock_ms,
  (SELECT max(version) FROM main.tm_migration),
  strict_queues,
  last_deleted_task_id,
  last_deleted_event_id,
  (SELECT max(id) FROM main.tm_task),
  (SELECT max(id) FROM main.tm_event),
  (SELECT task_id FROM main.tm_settle LIMIT 1),
  has_times
FROM main.tm_setting
WHERE id = 1;

-- One row whatever there is: a statement that stays at it holds one moment for those that look after it.
-- name: schema_moment
-- columns: (has_objects)
SELECT EXISTS (SELECT 1 FROM main.sqlite_schema);

-- Ours is the table with our constraint; somebody else's tm_migration is a name taken.
-- name: schema_exists
-- columns: name
SELECT name FROM main.sqlite_schema
WHERE type = 'table' AND name = 'tm_migration' AND sql GLOB '*checksum_is_sha256_in_hex*';

-- name: schema_version
-- columns: version
SELECT version FROM main.tm_migration ORDER BY version DESC LIMIT 1;

-- name: schema_applied
-- columns: version checksum
SELECT version, checksum FROM main.tm_migration ORDER BY version;

-- name: schema_object
-- columns: type sql
SELECT type, sql FROM main.sqlite_schema WHERE lower(name) = lower(:name);

-- One pass over the schema; names of other people's are passed over by the caller.
-- name: schema_texts
-- columns: type name sql
SELECT type, name, sql FROM main.sqlite_schema;

-- name: schema_rows
-- columns: (count)
SELECT
  (SELECT count(*) FROM main.tm_task)
  + (SELECT count(*) FROM main.tm_event)
  + (SELECT count(*) FROM main.tm_attempt);

-- Triggers and indexes on our tables; those that no migration makes are somebody else's.
-- name: schema_hangers
-- columns: name sql
SELECT name, sql FROM main.sqlite_schema
WHERE type IN ('index', 'trigger') AND sql IS NOT NULL AND lower(tbl_name) GLOB 'tm_*'
ORDER BY type, name;

-- Tables of the database that hide a virtual table of the library.
-- name: schema_shadows
-- columns: name
SELECT s.name
FROM main.sqlite_schema AS s
JOIN main.pragma_module_list AS m ON lower(s.name) = lower(m.name)
WHERE m.name GLOB 'tm_*'
LIMIT 1;

-- Tables of the database that hide one of SQLite's own, of those that statements here read.
-- name: schema_hides
-- columns: (name)
SELECT lower(name)
FROM main.sqlite_schema
WHERE type IN ('table', 'view')
  AND (lower(name) = 'json_each' OR lower(name) GLOB 'pragma_*');

-- The rows beside those of states.txt: how many of these are missing, and the first that is another.
-- name: schema_graph
-- columns: (states) (moves) (settings) (missing) (wrong)
WITH
  here (name, words) AS (
    SELECT 'state ' || name, kind || ' ' || meaning FROM main.tm_state
    UNION ALL
    SELECT 'move ' || from_state || ' to ' || to_state, made_by FROM main.tm_transition
  ),
  ours (name, words) AS (
    SELECT 'state ' || (value ->> 0), (value ->> 1) || ' ' || (value ->> 2) FROM main.json_each(:graph, '$.states')
    UNION ALL
    SELECT 'move ' || (value ->> 0) || ' to ' || (value ->> 1), value ->> 2 FROM main.json_each(:graph, '$.moves')
  )
SELECT
  (SELECT count(*) FROM main.tm_state),
  (SELECT count(*) FROM main.tm_transition),
  (SELECT count(*) FROM main.tm_setting),
  (SELECT count(*) FROM ours WHERE name NOT IN (SELECT name FROM here)),
  (
    SELECT name
    FROM (
      SELECT name AS name FROM (SELECT name AS name, words AS words FROM here EXCEPT SELECT name, words FROM ours)
      UNION ALL
      SELECT name FROM (SELECT name AS name, words AS words FROM ours EXCEPT SELECT name, words FROM here)
    )
    LIMIT 1
  );

-- name: migration_record
INSERT INTO main.tm_migration (version, name, checksum, applied_ms)
VALUES (:version, :name, :checksum, :applied_ms);

-- name: migration_forget
DELETE FROM main.tm_migration WHERE version = :version;

-- name: journal_mode
-- columns: (mode)
PRAGMA main.journal_mode;

-- name: journal_wal
-- columns: (mode)
PRAGMA main.journal_mode = WAL;

-- name: busy_timeout
-- columns: (ms)
PRAGMA busy_timeout;

-- Where SQLite cannot go back to a savepoint (a disk is full, an interrupt sticks, the file is damaged)
-- its rule is that the whole transaction goes. The keeper refuses every row, so this statement has
-- SQLite do that, by the conflict clause where it runs, and by the failure where that sticks.
-- name: savepoint_break
INSERT OR ROLLBACK INTO main.tm_keeper (unused) VALUES (NULL);

-- A commit that fails throws every other statement away, and leaves a savepoint that began the
-- transaction: without memory none is made anew, and after SQLITE_CORRUPT none may write. This one is
-- at its row while the savepoint is released. Its next step fails in a way after which SQLite ends
-- the transaction.
-- name: savepoint_hold
SELECT unused FROM main.tm_keeper;

-- The only transaction control in the extension, for steps from one version to another:
-- DROP TABLE works under a bare SELECT only, and there a savepoint works too.
-- name: savepoint_open
SAVEPOINT tm_migrate;

-- Takes the write lock, has the keeper join the transaction, and writes nothing, on a database without a table of ours too. A look at
-- the version before it would make it an upgrade of a read, for which SQLite does not wait.
-- name: savepoint_lock
INSERT INTO main.tm_keeper (unused) SELECT NULL WHERE 0;

-- name: savepoint_undo
ROLLBACK TO tm_migrate;

-- name: savepoint_release
RELEASE tm_migrate;
