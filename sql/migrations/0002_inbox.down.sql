-- The tasks stay; only the way in without the extension goes.
DROP VIEW main.tm_inbox;
