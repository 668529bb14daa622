<?php // What PHP's SQLite3 does by itself; ../README.md says what the lines mean.
function connect(): SQLite3 {
    $db = new SQLite3('probe.db');
    $db->enableExceptions(true);
    $db->loadExtension('tm.so');
    return $db;
}
$db = connect();
$db->querySingle('SELECT tm_init()');
$stmt = $db->prepare('SELECT typeof(?)');
$stmt->bindValue(1, 3);
echo 'number ', $stmt->execute()->fetchArray()[0], "\n";
$stmt->close();
foreach (['select' => "SELECT tm_enqueue('select', 1)",
          'command' => "INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')"] as $name => $sql) {
    $other = connect();
    $result = $other->query($sql);
    if ($name === 'select') {
        $result->fetchArray();
        echo 'runs ', $other->querySingle('SELECT count(*) FROM tm_task'), "\n";
    }
    $other->close();
    echo $name, $db->querySingle("SELECT count(*) FROM tm_task WHERE queue = '$name'") ? " kept\n" : " gone\n";
}
$db->querySingle("SELECT tm_enqueue('cure', 1)");
$db->prepare("SELECT tm_enqueue('cure', 2)")->execute();
echo 'cure ', $db->querySingle("SELECT group_concat(payload) FROM tm_task WHERE queue = 'cure'"), "\n";
$rows = $db->query('SELECT id FROM tm_task');
$rows->fetchArray();
try {
    $db->querySingle("SELECT tm_enqueue('open', 1)");
    echo "open works\n";
} catch (Exception $error) {
    echo 'open ', strrchr($error->getMessage(), '['), "\n";
}
