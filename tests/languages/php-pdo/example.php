<?php // LD_PRELOAD=./tm-auto.so php example.php
$db = new PDO('sqlite:app.db', options: [PDO::ATTR_TIMEOUT => 20]);
$db->query('SELECT tm_init()')->fetchColumn();
$db->exec('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))');
$db->exec('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))');

function run(PDO $db, string $sql, mixed ...$values): mixed { // execute($values) would bind them all as text
    $stmt = $db->prepare($sql);
    foreach ($values as $i => $value) $stmt->bindValue($i + 1, $value, is_int($value) ? PDO::PARAM_INT : PDO::PARAM_STR);
    $stmt->execute();
    return $stmt->fetchAll(PDO::FETCH_COLUMN)[0] ?? null; // to its end: nothing stays open
}

function transaction(PDO $db, callable $body): void { // beginTransaction() would be BEGIN DEFERRED
    $db->exec('BEGIN IMMEDIATE');
    try { $body(); $db->exec('COMMIT'); }
    catch (Throwable $error) { $db->exec('ROLLBACK'); throw $error; }
}

foreach ([99.5, -1, 20, null] as $total) {
    try { // both rows or none
        transaction($db, fn() => run($db, "INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1 + 0))", $total));
    } catch (PDOException) {} // null breaks NOT NULL: its task is rolled back with the invoice
}

function send(float $total): void { if ($total < 0) throw new DomainException('negative total'); }

while ($text = run($db, "SELECT tm_claim('mail', 'worker-1')")) {
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

$states = run($db, "SELECT group_concat(state, ' ') FROM (SELECT state FROM tm_task ORDER BY id)");
echo $states, "\n";
exit($states === 'completed retryable completed' ? 0 : 1);
