require 'json'
require 'sqlite3'

db = SQLite3::Database.new('app.db')
db.busy_timeout(20_000)
db.enable_load_extension(true)
db.load_extension('./tm')
db.get_first_value('SELECT tm_init()')
db.execute('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))')
db.execute('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))')

[99.5, -1, 20, nil].each do |total|
  db.transaction(:immediate) do # both rows or none
    db.execute("INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", [total])
  end
rescue SQLite3::ConstraintException # nil breaks NOT NULL: its task goes with the invoice
end

def send_mail(total)
  raise ArgumentError, 'negative total' if total.negative?
end

while (text = db.get_first_value("SELECT tm_claim('mail', 'worker-1')"))
  task = JSON.parse(text, symbolize_names: true)
  begin
    send_mail(task[:payload]) # the work, outside any transaction
    db.transaction(:immediate) do # its result and its end together
      db.execute('INSERT INTO receipt VALUES (?, ?)', [task[:payload], task[:id]])
      db.execute('SELECT tm_complete(?, ?)', [task[:id], task[:token]])
    end
  rescue StandardError => e
    message = e.message.dup.force_encoding('UTF-8') # the driver's own messages are binary, and bound as a BLOB
    db.execute('SELECT tm_fail(?, ?, ?)', [task[:id], task[:token], message])
  end
end

states = db.execute('SELECT state FROM tm_task ORDER BY id').join(' ')
puts states
exit states == 'completed retryable completed'
