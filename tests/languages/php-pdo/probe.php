<?php // What PDO does by itself; ../README.md says what the lines mean.
function connect(): PDO { return new PDO('sqlite:probe.db', options: [PDO::ATTR_TIMEOUT => 0]); }
function one(PDO $db, string $sql, array $values = []): mixed {
    $stmt = $db->prepare($sql);
    $stmt->execute($values);
    return $stmt->fetchAll(PDO::FETCH_COLUMN)[0];
}
$db = connect();
echo 'load ', method_exists($db, 'loadExtension') ? 'yes' : 'no', "\n";
one($db, 'SELECT tm_init()');
echo 'number ', one($db, 'SELECT typeof(?)', [3]), "\n";
$stmt = $db->prepare('SELECT typeof(?)');
$stmt->bindValue(1, 3, PDO::PARAM_INT);
$stmt->execute();
echo 'cure ', $stmt->fetchAll(PDO::FETCH_COLUMN)[0], "\n";
foreach (['select' => "SELECT tm_enqueue('select', 1)",
          'command' => "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"] as $name => $sql) {
    $other = connect();
    $other->query($sql)->fetchAll();
    if ($name === 'select') echo 'runs ', one($other, 'SELECT count(*) FROM tm_task'), "\n";
    $other = null;
    echo $name, one($db, 'SELECT count(*) FROM tm_task WHERE queue = ?', [$name]) ? " kept\n" : " gone\n";
}
$other = connect();
$db->beginTransaction();
one($db, 'SELECT count(*) FROM tm_task');
try {
    $other->exec('BEGIN IMMEDIATE');
    $other->exec('ROLLBACK');
    echo "begin deferred\n";
} catch (PDOException) {
    echo "begin immediate\n";
}
$db->rollBack();
$rows = $db->query('SELECT id FROM tm_task');
$rows->fetch();
try {
    one($db, "SELECT tm_enqueue('open', 1)");
    echo "open works\n";
} catch (PDOException $error) {
    echo 'open ', strrchr($error->getMessage(), '['), "\n";
}
