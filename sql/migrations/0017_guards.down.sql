-- Back to 0016_nested.
DROP TRIGGER main.tm_flow_is_of_a_younger_task_than_its_parent;
DROP TRIGGER main.tm_flow_stays_younger_than_its_parent;
DROP TRIGGER main.tm_state_does_not_change;
DROP TRIGGER main.tm_state_takes_no_other;
DROP TRIGGER main.tm_transition_does_not_change;
DROP TRIGGER main.tm_transition_takes_no_other;
