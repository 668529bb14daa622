-- many_part.sql - the verb, for the tasks of this turn.
SELECT CASE :verb
    WHEN 'retry' THEN tm_retry_where(filter)
    WHEN 'cancel' THEN tm_cancel_where(filter, :reason, children)
    WHEN 'hold' THEN tm_hold_where(filter)
    WHEN 'unhold' THEN tm_unhold_where(filter)
    WHEN 'delete' THEN tm_delete_where(filter)
  END
FROM temp.part;
