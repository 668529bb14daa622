-- What luasql does by itself; ../README.md says what the lines mean.
local env = require('luasql.sqlite3').sqlite3()
local function connect() return env:connect('probe.db', 0) end
local function one(db, sql)
  local cursor, message = db:execute(sql)
  if type(cursor) ~= 'userdata' then return nil, message end
  local value, problem = cursor:fetch()
  cursor:close()
  return value, problem
end

local db = connect()
local loads = pcall(function() return db.load_extension(db, './tm') end)
print('load ' .. (loads and 'yes' or 'no'))
one(db, 'SELECT tm_init()')
for _, pair in ipairs {{'select', "SELECT tm_enqueue('select', 1)"},
                       {'command', "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"}} do
  local name, sql = pair[1], pair[2]
  local other = connect()
  one(other, sql)
  if name == 'select' then print('runs ' .. one(other, 'SELECT count(*) FROM tm_task')) end
  other:close()
  local count = tonumber(one(db, "SELECT count(*) FROM tm_task WHERE queue = '" .. name .. "'"))
  print(name .. (count > 0 and ' kept' or ' gone'))
end

one(db, "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'cure')")
print('cure ' .. one(db, "SELECT count(*) FROM tm_task WHERE queue = 'cure'"))

local other = connect()
db:setautocommit(false)
one(db, 'SELECT count(*) FROM tm_task')
local cursor = other:execute('BEGIN IMMEDIATE')
print('begin ' .. (cursor and 'deferred' or 'immediate'))
if cursor then other:execute('ROLLBACK') end
db:rollback()
db:setautocommit(true)

local rows = db:execute('SELECT id FROM tm_task')
rows:fetch()
local _, message = db:execute("INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'open')")
if message == nil then _, message = one(db, "SELECT tm_enqueue('open', 1)") end
print('open ' .. (message and message:match('%[%a[%w_]*%]$') or message or 'works'))
