# What Ruby's sqlite3 does by itself; ../README.md says what the lines mean.
require 'sqlite3'

def connect
  SQLite3::Database.new('probe.db').tap do |db|
    db.enable_load_extension(true)
    db.load_extension('./tm')
  end
end

db = connect
db.get_first_value('SELECT tm_init()')
puts "number #{db.get_first_value('SELECT typeof(?)', [3])}"
{ 'select' => "SELECT tm_enqueue('select', 1)",
  'command' => "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')" }.each do |name, sql|
  other = connect
  other.execute(sql)
  puts "runs #{other.get_first_value('SELECT count(*) FROM tm_task')}" if name == 'select'
  other.close
  count = db.get_first_value('SELECT count(*) FROM tm_task WHERE queue = ?', [name])
  puts "#{name} #{count.positive? ? 'kept' : 'gone'}"
end

other = connect
db.transaction do
  db.get_first_value('SELECT count(*) FROM tm_task')
  other.execute('BEGIN IMMEDIATE')
  other.execute('ROLLBACK')
  puts 'begin deferred'
rescue SQLite3::BusyException
  puts 'begin immediate'
end

db.transaction(:immediate) do
  other.execute('BEGIN IMMEDIATE')
  puts 'cure deferred'
rescue SQLite3::BusyException
  puts 'cure immediate'
end

rows = db.prepare('SELECT id FROM tm_task')
rows.step
begin
  db.get_first_value("SELECT tm_enqueue('open', 1)")
  puts 'open works'
rescue SQLite3::SQLException => e
  puts "open #{e.message.split.last}"
  rows.close
  puts "message #{db.get_first_value('SELECT typeof(?)', [e.message])}"
end
