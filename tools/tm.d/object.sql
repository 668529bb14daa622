-- object.sql - the rows of temp.given as one JSON object, with the members of a whole one (base) first.
CREATE TEMP VIEW object AS
WITH member (text) AS (
  SELECT json_quote(name) || ':' || CASE form
    WHEN 'json' THEN max(value)
    WHEN 'json_or_text' THEN CASE WHEN json_valid(max(value)) THEN json(max(value)) ELSE json_quote(max(value)) END
    WHEN 'list' THEN '[' || group_concat(json_quote(value)) || ']'
    ELSE json_quote(max(value)) END
  FROM temp.given WHERE form <> 'base' GROUP BY name, form
),
made (text) AS (SELECT group_concat(text) FROM member),
base (text) AS (SELECT value FROM temp.given WHERE form = 'base')
SELECT CASE
    WHEN base.text IS NULL THEN '{' || made.text || '}'
    WHEN NOT json_valid(base.text) OR made.text IS NULL THEN base.text
    WHEN json_type(base.text) <> 'object' OR json(base.text) = '{}' THEN '{' || made.text || '}'
    ELSE substr(json(base.text), 1, length(json(base.text)) - 1) || ',' || made.text || '}'
  END AS json
FROM made LEFT JOIN base;
