-- stats.sql - the rows of `tm stats`.
SELECT 'h', 't:QUEUE', 's:', 'n:AVAILABLE', 'n:RUNNING', 'n:SCHEDULED', 'n:RETRYABLE', 'n:BLOCKED', 'n:HELD',
  'n:COMPLETED', 'n:CANCELLED', 'n:DISCARDED', 'n:1M', 'n:1H', 'd:OLDEST', 'd:WAIT P95', 'd:RUN P95';
SELECT 'r', replace(replace(queue, char(9), ' '), char(10), ' '), iif(paused, 'paused', ''),
  available, running + cancelling, scheduled, retryable, blocked, held + waiting,
  completed, cancelled, discarded, completed_1m, completed_1h, oldest_available_ms, wait_p95_ms, run_p95_ms
FROM tm_stats ORDER BY queue;
