-- Tasks by a filter, block by block: after_id is the last id of the block before, last_id the
-- newest when the walk began: a trigger that enqueues a task for each that is moved would else keep
-- it going for ever. A parameter that is NULL asks for nothing. state, queue, kind, worker, partition, group and tags are JSON arrays, payload is a
-- JSON object of paths; the caller has checked all of them. What stands in tm_task may have been
-- written by hand, and is looked at before it is read as JSON: a CASE does that in this order.

-- name: select_newest
-- columns: (id)
SELECT max(id) FROM main.tm_task;

-- By id. NOT INDEXED leaves the primary key: an index of the application's would sort each block.
-- name: select_by_id
-- columns: id queue state kind priority run_at_ms attempt created_ms finished_ms
-- plan: rowid
SELECT
  t.id,
  t.queue,
  t.state,
  t.kind,
  t.priority,
  t.run_at_ms,
  t.attempt,
  t.created_ms,
  t.finished_ms
FROM main.tm_task AS t NOT INDEXED
WHERE
  t.id > :after_id
  AND t.id <= :last_id
  AND t.state IN (SELECT value FROM main.json_each(:state))
  AND (:queue IS NULL OR t.queue IN (SELECT value FROM main.json_each(:queue)))
  AND (:kind IS NULL OR t.kind IN (SELECT value FROM main.json_each(:kind)))
  AND (:worker IS NULL OR t.worker IN (SELECT value FROM main.json_each(:worker)))
  AND (
    :partition IS NULL
    OR (SELECT partition FROM main.tm_flow WHERE task_id = t.id AND t.flow) IN (SELECT value FROM main.json_each(:partition))
  )
  AND (
    :group IS NULL
    OR (SELECT in_group FROM main.tm_flow WHERE task_id = t.id AND t.flow) IN (SELECT value FROM main.json_each(:group))
  )
  AND (:created_before_ms IS NULL OR t.created_ms < :created_before_ms)
  AND (:created_after_ms IS NULL OR t.created_ms > :created_after_ms)
  AND (:finished_before_ms IS NULL OR t.finished_ms < :finished_before_ms)
  AND (:error_like IS NULL OR t.error LIKE :error_like)
  AND CASE
    WHEN :tags IS NULL THEN 1
    WHEN json_valid(t.tags) THEN NOT EXISTS (
      SELECT 1 FROM main.json_each(:tags) AS w WHERE w.value NOT IN (SELECT value FROM main.json_each(t.tags))
    )
  END
  AND CASE
    WHEN :payload IS NULL THEN 1
    WHEN typeof(t.payload) = 'blob' THEN 0
    WHEN json_valid(t.payload) THEN NOT EXISTS (
      SELECT 1
      FROM main.json_each(:payload) AS w
      WHERE
        json_extract(t.payload, w.key) IS NOT w.value
        OR replace(coalesce(json_type(t.payload, w.key), 'null'), 'integer', 'real')
          <> replace(w.type, 'integer', 'real')
    )
  END
ORDER BY t.id
LIMIT :limit;

-- The same from the index of live tasks: for few of them among many that are final.
-- name: select_live
-- columns: id queue state kind priority run_at_ms attempt created_ms finished_ms
-- plan: tm_task_live sorts
SELECT
  t.id,
  t.queue,
  t.state,
  t.kind,
  t.priority,
  t.run_at_ms,
  t.attempt,
  t.created_ms,
  t.finished_ms
FROM main.tm_task AS t INDEXED BY tm_task_live
WHERE
  t.queue IN (SELECT value FROM main.json_each(:queue))
  AND t.phase BETWEEN :first_phase AND :last_phase
  AND t.phase IS NOT NULL
  AND t.id > :after_id
  AND t.id <= :last_id
  AND t.state IN (SELECT value FROM main.json_each(:state))
  AND (:kind IS NULL OR t.kind IN (SELECT value FROM main.json_each(:kind)))
  AND (:worker IS NULL OR t.worker IN (SELECT value FROM main.json_each(:worker)))
  AND (
    :partition IS NULL
    OR (SELECT partition FROM main.tm_flow WHERE task_id = t.id AND t.flow) IN (SELECT value FROM main.json_each(:partition))
  )
  AND (
    :group IS NULL
    OR (SELECT in_group FROM main.tm_flow WHERE task_id = t.id AND t.flow) IN (SELECT value FROM main.json_each(:group))
  )
  AND (:created_before_ms IS NULL OR t.created_ms < :created_before_ms)
  AND (:created_after_ms IS NULL OR t.created_ms > :created_after_ms)
  AND (:finished_before_ms IS NULL OR t.finished_ms < :finished_before_ms)
  AND (:error_like IS NULL OR t.error LIKE :error_like)
  AND CASE
    WHEN :tags IS NULL THEN 1
    WHEN json_valid(t.tags) THEN NOT EXISTS (
      SELECT 1 FROM main.json_each(:tags) AS w WHERE w.value NOT IN (SELECT value FROM main.json_each(t.tags))
    )
  END
  AND CASE
    WHEN :payload IS NULL THEN 1
    WHEN typeof(t.payload) = 'blob' THEN 0
    WHEN json_valid(t.payload) THEN NOT EXISTS (
      SELECT 1
      FROM main.json_each(:payload) AS w
      WHERE
        json_extract(t.payload, w.key) IS NOT w.value
        OR replace(coalesce(json_type(t.payload, w.key), 'null'), 'integer', 'real')
          <> replace(w.type, 'integer', 'real')
    )
  END
ORDER BY t.id
LIMIT :limit;

-- A row where the index holds more than so many: then select_live, which reads all of them for
-- each block, is not worth it.
-- name: select_live_is_long
-- plan: tm_task_live
SELECT 1
FROM main.tm_task INDEXED BY tm_task_live
WHERE
  queue IN (SELECT value FROM main.json_each(:queue))
  AND phase BETWEEN :first_phase AND :last_phase
  AND phase IS NOT NULL
LIMIT 1 OFFSET :length;

-- The tasks of a group, where it is one: the array holds as many names as the count says.
-- name: select_group
-- columns: task_id
-- plan: tm_flow_group
SELECT task_id FROM main.tm_flow INDEXED BY tm_flow_group
WHERE
  in_group = (SELECT value FROM main.json_each(:group))
  AND task_id > :after_id
  AND task_id <= :last_id
ORDER BY task_id
LIMIT :limit + 0;

-- name: select_group_count
-- columns: (groups)
SELECT json_array_length(:group);
