-- Waiting.

-- Changes when another connection has committed, and only then. Cheaper than a look at a queue,
-- and one for all of them; its lock goes with the step.
-- name: wait_version
-- columns: (version)
PRAGMA main.data_version;

-- Touches no database. Stepping it tells whether sqlite3_interrupt() was called, on every
-- version: while the outer statement runs, the interrupt stays set and fails this one.
-- name: wait_pulse
SELECT 1;
