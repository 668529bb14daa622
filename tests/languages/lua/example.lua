-- LD_PRELOAD=./tm-auto.so lua example.lua
local db = assert(require('luasql.sqlite3').sqlite3():connect('app.db', 20000))

-- luasql binds nothing, so values are quoted into the text, and it runs each SELECT twice, so verbs go
-- through tm_command. Gives back the first row.
local function run(sql, ...)
  local values = {...}
  for i, value in ipairs(values) do
    values[i] = math.type(value) and tostring(value) or "'" .. db:escape(value) .. "'"
  end
  local cursor = assert(db:execute(sql:format(table.unpack(values))))
  if type(cursor) ~= 'userdata' then return end
  local row = {cursor:fetch()}
  cursor:close() -- an open cursor holds its snapshot
  return table.unpack(row)
end

local function transaction(body)
  run('BEGIN IMMEDIATE')
  local ok, message = pcall(body)
  run(ok and 'COMMIT' or 'ROLLBACK')
  if not ok then error(message, 0) end
end

run('SELECT tm_init()')
run('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))')
run('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))')

for _, total in ipairs {'99.5', '-1', '20', 'NULL'} do -- NULL breaks NOT NULL: its task goes too
  pcall(transaction, function()
    run("INSERT INTO invoice VALUES (" .. total .. ", tm_enqueue('mail', " .. total .. '))')
  end)
end

local function send(total)
  if total < 0 then error('negative total', 0) end
end

local function claim()
  local id, token, total
  transaction(function()
    run("INSERT INTO tm_command (verb, arg1, arg2) VALUES ('claim', 'mail', 'worker-1')")
    id, token, total = run('SELECT id, token, payload FROM tm_task WHERE id = last_insert_rowid()')
  end)
  return id, token, tonumber(total)
end

for id, token, total in claim do
  local ok, message = pcall(function()
    send(total) -- the work, outside any transaction
    transaction(function() -- its result and its end together
      run('INSERT INTO receipt VALUES (%s, %s)', total, id)
      run("INSERT INTO tm_command (verb, arg1, arg2) VALUES ('complete', %s, %s)", id, token)
    end)
  end)
  if not ok then run("INSERT INTO tm_command (verb, arg1, arg2, arg3) VALUES ('fail', %s, %s, %s)", id, token, message) end
end

local states = run("SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)")
print(states)
os.exit(states == 'completed retryable completed', true)
