use strict;
use warnings;
use DBI;
use JSON::PP;

my $db = DBI->connect('dbi:SQLite:app.db', '', '', {RaiseError => 1, PrintError => 0, sqlite_see_if_its_a_number => 1});
$db->sqlite_busy_timeout(20_000);
$db->sqlite_enable_load_extension(1);
$db->sqlite_load_extension('./tm');
$db->do('SELECT tm_init()');
$db->do('CREATE TABLE invoice (total REAL NOT NULL, task_id INTEGER REFERENCES tm_task (id))');
$db->do('CREATE TABLE receipt (total REAL, task_id INTEGER REFERENCES tm_task (id))');

sub transaction {    # begin_work is BEGIN IMMEDIATE here
    my ($body) = @_;
    $db->begin_work;
    return $db->commit if eval { $body->(); 1 };
    my $error = $@;
    $db->rollback;
    die $error;
}

for my $total (99.5, -1, 20, undef) {    # undef breaks NOT NULL: its task goes with the invoice
    eval { transaction(sub { $db->do(q{INSERT INTO invoice VALUES (?1, tm_enqueue('mail', ?1))}, undef, $total) }) };
}

sub send_mail { die "negative total\n" if $_[0] < 0 }

while (my ($text) = grep { defined } $db->selectrow_array(q{SELECT tm_claim('mail', 'worker-1')})) {
    my ($id, $token, $total) = @{decode_json($text)}{qw(id token payload)};
    next if eval {
        send_mail($total);               # the work, outside any transaction
        transaction(sub {                # its result and its end together
            $db->do('INSERT INTO receipt VALUES (?, ?)', undef, $total, $id);
            $db->do('SELECT tm_complete(?, ?)', undef, $id, $token);
        });
        1;
    };
    chomp(my $error = $@);
    $db->do('SELECT tm_fail(?, ?, ?)', undef, $id, $token, $error);
}

my $states = join ' ', @{$db->selectcol_arrayref('SELECT state FROM tm_task ORDER BY id')};
print "$states\n";
exit($states ne 'completed retryable completed');
