-- work.sql - what a slot of `tm work` begins with: its queues as a parameter, and a table for the task that it has.
INSERT INTO temp.sqlite_parameters (key, value)
SELECT ':queues', json_extract(json, '$.queues') FROM temp.object;

CREATE TEMP TABLE job (
  id INTEGER,
  token INTEGER,
  attempt INTEGER,
  lease_ms INTEGER,
  queue TEXT,
  kind TEXT,
  payload,
  result
);
