# What DBD::SQLite does by itself; ../README.md says what the lines mean.
use strict;
use warnings;
use DBI;

sub connect_db {
    my $db = DBI->connect('dbi:SQLite:probe.db', '', '', {RaiseError => 1, PrintError => 0, PrintWarn => 0, @_});
    $db->sqlite_busy_timeout(0);
    $db->sqlite_enable_load_extension(1);
    $db->sqlite_load_extension('./tm');
    return $db;
}
sub one { my ($db, @rest) = @_; return ($db->selectrow_array($rest[0], undef, @rest[1 .. $#rest]))[0] }

my $db = connect_db();
one($db, 'SELECT tm_init()');
print 'number ', one($db, 'SELECT typeof(?)', 3), "\n";
print 'cure ', one(connect_db(sqlite_see_if_its_a_number => 1), 'SELECT typeof(?)', 3), "\n";
for ([select => q{SELECT tm_enqueue('select', 1)}], [command => q{INSERT INTO tm_command (verb, arg1) VALUES ('enqueue', 'command')}]) {
    my ($name, $sql) = @$_;
    my $other = connect_db();
    $other->do($sql);
    print 'runs ', one($other, 'SELECT count(*) FROM tm_task'), "\n" if $name eq 'select';
    $other->disconnect;
    print "$name ", one($db, 'SELECT count(*) FROM tm_task WHERE queue = ?', $name) ? 'kept' : 'gone', "\n";
}

my $other = connect_db();
$db->begin_work;
one($db, 'SELECT count(*) FROM tm_task');
print 'begin ', eval { $other->do('BEGIN IMMEDIATE'); $other->do('ROLLBACK'); 1 } ? 'deferred' : 'immediate', "\n";
$db->rollback;
$other->disconnect;

my $rows = $db->prepare('SELECT id FROM tm_task');
$rows->execute;
$rows->fetchrow_array;
print 'open ', eval { one($db, q{SELECT tm_enqueue('open', 1)}); 1 } ? 'works' : $@ =~ /(\[\w+\])/ ? $1 : $@, "\n";
$rows->finish;
$db->disconnect;
