<?php
$db = new SQLite3('app.db');
$db->enableExceptions(true);
$db->busyTimeout(20000);
$db->loadExtension('tm.so'); // sqlite3.extension_dir in php.ini says where it lies
$db->querySingle('SELECT tm_init()');
$db->exec('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))');
$db->exec('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))');

function run(SQLite3 $db, string $sql, mixed ...$values): void { // fetchArray() would run it again
    $stmt = $db->prepare($sql);
    foreach ($values as $i => $value) $stmt->bindValue($i + 1, $value);
    $stmt->execute();
}

function transaction(SQLite3 $db, callable $body): void {
    $db->exec('BEGIN IMMEDIATE');
    try { $body(); $db->exec('COMMIT'); }
    catch (Throwable $error) { $db->exec('ROLLBACK'); throw $error; }
}

foreach ([99.5, -1, 20, null] as $total) {
    try { // both rows or none
        transaction($db, fn() => run($db, "INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))", $total));
    } catch (Exception) {} // null breaks NOT NULL: its task is rolled back with the invoice
}

function send(float $total): void { if ($total < 0) throw new DomainException('negative total'); }

while ($text = $db->querySingle("SELECT tm_claim('mail', 'worker-1')")) { // runs it once
    $task = json_decode($text);
    try {
        send($task->payload); // the work, outside any transaction
        transaction($db, function () use ($db, $task) { // its result and its end together
            run($db, 'INSERT INTO receipt VALUES (?, ?)', $task->payload, $task->id);
            run($db, 'SELECT tm_complete(?, ?)', $task->id, $task->token);
        });
    } catch (Exception $error) {
        run($db, 'SELECT tm_fail(?, ?, ?)', $task->id, $task->token, $error->getMessage());
    }
}

$states = $db->querySingle("SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)");
echo $states, "\n";
exit($states === 'completed retryable completed' ? 0 : 1);
