# The program of DBI with DBD::mysql or DBD::MariaDB: the steps of ../steps.py.
# usage: perl program.pl mysql|MariaDB
use strict;
use warnings;
use utf8;
use DBI;
use Digest::MD5 qw(md5_hex);
use JSON::PP;

my $driver = shift // die "usage: program.pl mysql|MariaDB\n";
my $prefix = lc $driver;
my $schema = $ENV{DRIVERS_SCHEMA};
my $mariadb = $ENV{DRIVERS_FLAVOR} eq 'mariadb';
my $json = JSON::PP->new->canonical->allow_nonref;
binmode STDOUT, ':encoding(UTF-8)';
$| = 1;

my $columns = 'tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, '
    . 'fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document';
my @row = (
    -128, -32768, -8388608, '-9223372036854775808', '18446744073709551615', '12345678901234567890.0123456789', 1.5, '-2.25e100',
    "\x02\x05", '2024-02-29', '-12:34:56.789012', '2024-02-29 23:59:59.123456', '2024-02-29 12:00:00', 2024,
    'fixed', 'naïve 🐬', "a longer text\nof two lines", "\0\xff'\\", "\0\1", join('', map { chr } 0 .. 255),
    'b', 'x,z', '{"a": [1, "é", null]}',
);
my %is_bytes = map { $_ => 1 } 8, 17, 18, 19;
my $charsets = 'SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, '
    . '@@collation_connection';
my $count = 'SELECT COUNT(*) FROM items';
# What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
my $committed = "SELECT COUNT(*) FROM items WHERE name = 'committed'";
my $portions = 'SELECT b.n, a.n FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n';

sub dsn {
    my (%options) = @_;
    my $host = "host=$ENV{DRIVERS_HOST};port=$ENV{DRIVERS_PORT}";
    # localhost is the socket to them, 127.0.0.1 is TCP.
    $host = "host=localhost;${prefix}_socket=$ENV{DRIVERS_SOCKET}" if delete $options{socket};
    my $database = delete $options{database} // $schema;
    return join ';', "dbi:$driver:database=$database", $host, map { "${prefix}_$_=$options{$_}" } sort keys %options;
}

sub connect_to {
    my (%options) = @_;
    my $password = delete $options{password} // $ENV{DRIVERS_PASSWORD};
    my %attributes = (RaiseError => 1, PrintError => 0, AutoCommit => 1);
    $attributes{mysql_enable_utf8mb4} = 1 if $driver eq 'mysql';
    return DBI->connect(dsn(local_infile => 1, client_found_rows => 0, %options), $ENV{DRIVERS_USER}, $password, \%attributes);
}

sub plain {
    my ($value) = @_;
    return [map { plain($_) } @$value] if ref $value eq 'ARRAY';
    return { map { $_ => $_ eq 'number' ? $value->{$_} + 0 : plain($value->{$_}) } keys %$value } if ref $value eq 'HASH';
    return $value if !defined $value || ref $value;
    return $value =~ /[^\x09\x0a\x20-\x{10ffff}]|[\x7f-\xa0]/ ? '0x' . join('', map { sprintf '%02x', ord } split //, $value) : "$value";
}

sub say_line { print $json->encode({@_}), "\n" }

sub failure { return { number => $DBI::err, sqlstate => $DBI::state, message => text($DBI::errstr) } }

# DBD::mysql gives messages as bytes, DBD::MariaDB as characters.
sub text {
    my ($text) = @_;
    utf8::decode($text) if defined $text;
    return $text;
}

sub step {
    my ($name, $take) = @_;
    my $saw = eval { plain($take->()) };
    if (my $error = $@) {
        return say_line(step => $name, absent => $1) if $error =~ /^absent: (.*)$/m;
        chomp $error;
        $saw = { unexpected => text("$error") };
    }
    say_line(step => $name, saw => $saw);
}

sub absent { die "absent: $_[0]\n" }

# Rows of a statement with a result, else the affected rows. Prepared by the server if asked for.
sub ask {
    my ($db, $sql, $values, %how) = @_;
    my $statement = $db->prepare($sql, { %how ? ("${prefix}_server_prepare" => 1) : () });
    my $n = 0;
    for my $value (@{ $values // [] }) {
        my $type = @$values == @row && $is_bytes{$n} ? DBI::SQL_VARBINARY() : DBI::SQL_VARCHAR();
        $statement->bind_param(++$n, $value, $type);
    }
    my $affected = $statement->execute;
    return $statement->{NUM_OF_FIELDS} ? $statement->fetchall_arrayref : $affected + 0;
}

sub fails {
    my ($take) = @_;
    my $saw = eval { $take->() };
    return $@ ? failure() : { unexpected => plain($saw) };
}

{
    no strict 'refs';
    my $version = "DBD::$driver";
    eval "require $version" or die $@;
    say_line(driver => $version, version => ${"${version}::VERSION"});
}
my $db = connect_to();
step('connect.plain', sub { ask($db, $charsets) });
step('connect.socket', sub { ask(connect_to(socket => 1), "SELECT DATABASE(), USER() LIKE 'app\@%'") });
step('connect.wrong_password', sub { fails(sub { connect_to(password => 'wrong')->ping }) });
step('connect.unknown_schema', sub { fails(sub { connect_to(database => 'nowhere_at_all')->ping }) });
step('connect.version', sub { [$db->{"${prefix}_serverinfo"}, $db->{"${prefix}_serverversion"}] });
# On libmariadb neither can require TLS without a certificate to check: it is used where it is offered.
step('connect.tls', sub { ask(connect_to(ssl => 1, ssl_optional => 1), 'SELECT 1') });

my $insert = "INSERT INTO kinds ($columns) VALUES (" . join(', ', ('?') x @row) . ')';
my $read = "SELECT $columns FROM kinds WHERE id = ?";
my @nulls = (undef) x @row;
step('text.tables', sub {
    open my $file, '<:encoding(UTF-8)', $ENV{DRIVERS_TABLES} or die $!;
    local $/;
    my $text = <$file>;
    [map { $db->do($_) + 0 } split /\n\n/, $text];
});
step('text.insert', sub { ask($db, $insert, \@row) });
step('text.types', sub { ask($db, $read, [1]) });
step('text.nulls', sub { [ask($db, $insert, \@nulls), ask($db, $read, [2])] });
step('text.columns', sub {
    my $statement = $db->prepare('SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1');
    $statement->execute;
    my $seen = [map { $statement->{$_} } qw(NAME TYPE PRECISION SCALE NULLABLE), map { "${prefix}_$_" } qw(is_pri_key type_name length max_length)];
    $statement->finish;
    $seen;
});
step('text.empty', sub { [ask($db, 'SELECT id FROM kinds WHERE id = 99'), ask($db, 'UPDATE kinds SET tiny = 1 WHERE id = 99')] });
my @literals = ("'", '"', '\\', '%', "\\'; -- ", '🐬', "\0\x1a\n", '`', '');
step('text.literals', sub { ask($db, 'SELECT ' . join(', ', ('?') x @literals), \@literals) });

# DBD::mysql sends every parameter as bytes, which a JSON column of MySQL does not take.
$insert =~ s/\?\)$/CONVERT(? USING utf8mb4))/;
step('prepared.insert', sub { ask($db, $insert, \@row, prepared => 1) });
step('prepared.types', sub { ask($db, $read, [3], prepared => 1) });
step('prepared.nulls', sub { [ask($db, $insert, \@nulls, prepared => 1), ask($db, $read, [4], prepared => 1)] });
step('prepared.again', sub {
    my $statement = $db->prepare('SELECT ?, ? * 2, id FROM kinds WHERE id = 1', { "${prefix}_server_prepare" => 1 });
    [map { $statement->execute(@$_); $statement->fetchall_arrayref } [1, 2], [3, 4], [5, 1], [undef, 2]];
});
step('prepared.errors', sub { fails(sub { ask($db, 'INSERT INTO kinds (id) VALUES (?)', [1], prepared => 1) }) });

step('bulk.insert', sub {
    my @values = map { ($_, "wört 🐬 $_") } 0 .. 999;
    my $affected = $db->do('INSERT INTO bulk (n, word) VALUES ' . join(', ', ('(?, ?)') x 1000), undef, @values);
    [$affected, ask($db, 'SELECT COUNT(*), SUM(n), MAX(word) FROM bulk')];
});
step('bulk.blob', sub {
    my $blob = join('', map { chr } 0 .. 255) x 4096;
    my $statement = $db->prepare('INSERT INTO files VALUES (1, ?)');
    $statement->bind_param(1, $blob, DBI::SQL_BLOB());
    my $affected = $statement->execute;
    my $back = $db->selectrow_array('SELECT content FROM files WHERE id = 1');
    [$affected, length $back, md5_hex($back)];
});

step('counts.insert_id', sub {
    my $affected = $db->do("INSERT INTO items (name) VALUES ('one'), ('two'), ('three')");
    [$affected, $db->last_insert_id(undef, undef, undef, undef), $db->{"${prefix}_info"}];
});
step('counts.last_insert_id', sub { ask($db, 'SELECT LAST_INSERT_ID()') });
step('counts.changed', sub { [map { $db->do("UPDATE items SET amount = $_ WHERE id = 1") + 0 } 0, 5] });
step('counts.found', sub { connect_to(client_found_rows => 1)->do('UPDATE items SET amount = 5 WHERE id = 1') + 0 });
step('counts.upsert', sub { $db->do("INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7") });
step('counts.row_count', sub { [$db->do('UPDATE items SET amount = amount + 1'), ask($db, 'SELECT ROW_COUNT()')] });

step('transaction.commit', sub {
    my $witness = connect_to();
    $db->begin_work;
    my $inserted = $db->do("INSERT INTO items (name) VALUES ('committed')");
    my $before = ask($witness, $committed);
    $db->commit;
    [$inserted, $before, ask($witness, "$committed LOCK IN SHARE MODE")];
});
step('transaction.rollback', sub {
    $db->begin_work;
    $db->do("INSERT INTO items (name) VALUES ('gone')");
    my $inside = ask($db, $count);
    $db->rollback;
    [$inside, ask($db, $count)];
});
step('transaction.savepoint', sub {
    $db->begin_work;
    $db->do("INSERT INTO items (name) VALUES ('kept')");
    $db->do('SAVEPOINT here');
    $db->do("INSERT INTO items (name) VALUES ('undone')");
    my $inside = ask($db, $count);
    $db->do('ROLLBACK TO SAVEPOINT here');
    $db->commit;
    [$inside, ask($db, $count)];
});
step('transaction.autocommit_off', sub {
    $db->{AutoCommit} = 0;
    $db->do("INSERT INTO items (name) VALUES ('unfinished')");
    my $inside = ask($db, $count);
    $db->rollback;
    my $outside = ask($db, $count);
    $db->commit;
    $db->{AutoCommit} = 1;
    [$inside, $outside, ask($db, 'SELECT @@autocommit')];
});
step('transaction.isolation', sub {
    my $name = $mariadb ? '@@tx_isolation' : '@@transaction_isolation';
    $db->do('SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED');
    my $one = ask($db, "SELECT $name");
    $db->do('SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ');
    [$one, ask($db, "SELECT $name")];
});
step('transaction.read_only', sub {
    $db->do('START TRANSACTION READ ONLY');
    my $seen = fails(sub { $db->do("INSERT INTO items (name) VALUES ('refused')") });
    $db->do('ROLLBACK');
    $seen;
});
step('transaction.read_only_reads', sub {
    $db->do('START TRANSACTION READ ONLY');
    my $seen = [ask($db, $count), ask($db, 'SELECT MAX(id) FROM items')];
    $db->do('COMMIT');
    $seen;
});

for (
    ['error.duplicate', "INSERT INTO items (name) VALUES ('one')"],
    ['error.syntax', "SELEKT 'é' FROM items"],
    ['error.unknown_table', 'SELECT * FROM nowhere WHERE a = 1'],
    ['error.foreign_key', 'INSERT INTO children VALUES (1, 999)'],
    ['error.too_long', "INSERT INTO items (name) VALUES (REPEAT('é', 30))"],
    ['error.signal', 'CALL refuse()'],
) {
    my ($name, $sql) = @$_;
    step($name, sub { fails(sub { ask($db, $sql) }) });
}
step('error.locked', sub {
    my $holder = connect_to();
    $holder->begin_work;
    ask($holder, 'SELECT id FROM items WHERE id = 1 FOR UPDATE');
    my $seen = fails(sub { ask($db, 'SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT') });
    $holder->rollback;
    $seen;
});
my $no_async = 'its asynchronous statements hang now and then, without a router too';
step('error.deadlock', sub {
    absent($no_async) if $driver eq 'mysql';
    my ($heavy, $light) = (connect_to(), connect_to());
    $heavy->begin_work;
    ask($heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500");
    $light->begin_work;
    ask($light, 'UPDATE items SET amount = 50 WHERE id = 1');
    my $waiting = $heavy->prepare('UPDATE items SET amount = 60 WHERE id = 1', { "${prefix}_async" => 1 });
    $waiting->execute;
    my $seen = fails(sub { ask($light, "UPDATE bulk SET word = 'light' WHERE n = 1") });
    my $async = "${prefix}_async_result";
    my $won = $waiting->$async;
    undef $waiting;
    $heavy->rollback;
    $light->rollback;
    [$seen, $won];
});
step('error.after', sub { ask($db, 'SELECT 1') });

step('warning.write', sub {
    my $statement = $db->prepare("INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))");
    my $affected = $statement->execute;
    [$affected, $statement->{"${prefix}_warning_count"}, ask($db, 'SHOW WARNINGS')];
});
step('warning.read', sub { [ask($db, "SELECT CAST('12x' AS SIGNED)"), ask($db, 'SHOW WARNINGS')] });

sub several {
    my ($on, $sql) = @_;
    my $statement = $on->prepare($sql);
    my $affected = $statement->execute;
    my @seen;
    do {
        push @seen, $statement->{NUM_OF_FIELDS} ? $statement->fetchall_arrayref : $statement->rows;
    } while ($statement->more_results);
    return \@seen;
}
step('routine.out', sub {
    $db->do('CALL add_up(2, 3, @total, @words)');
    ask($db, 'SELECT @total, @words');
});
step('routine.results', sub { several($db, 'CALL two_results(7)') });
step('routine.function', sub { ask($db, 'SELECT twice(21)') });
step('routine.statements', sub {
    several(connect_to(multi_statements => 1), 'SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2');
});

step('stream.rows', sub {
    my $statement = $db->prepare($portions, { "${prefix}_use_result" => 1 });
    $statement->execute;
    my ($rows, $sum) = (0, 0);
    while (my $row = $statement->fetchrow_arrayref) {
        $rows += 1;
        $sum += $row->[0] + $row->[1];
    }
    [$rows, $sum];
});
step('stream.cursor', sub { absent('the driver has no server-side cursors') });
step('infile.load', sub {
    my $loaded = $db->do("LOAD DATA LOCAL INFILE '$ENV{DRIVERS_INFILE}' INTO TABLE loaded CHARACTER SET utf8mb4");
    [$loaded, ask($db, 'SELECT COUNT(*), SUM(n), MAX(word) FROM loaded')];
});

step('session.use', sub {
    $db->do("USE $ENV{DRIVERS_OTHER}");
    my @seen = (ask($db, 'SELECT DATABASE()'), fails(sub { ask($db, 'SELECT * FROM items') }));
    $db->do("USE $schema");
    [@seen, ask($db, 'SELECT DATABASE()'), ask($db, 'SELECT COUNT(*) > 0 FROM items')];
});
step('session.variables', sub {
    $db->do("SET \@mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'");
    my $seen = ask($db, 'SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1');
    $db->do('SET sql_mode = DEFAULT, time_zone = DEFAULT');
    $seen;
});
step('session.temporary', sub {
    $db->do('CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3');
    my $seen = ask($db, 'SELECT COUNT(*) FROM mine');
    $db->do('DROP TEMPORARY TABLE mine');
    [$seen, fails(sub { ask($db, 'SELECT COUNT(*) FROM mine') })];
});
my $lock = "${schema}_lock";
step('session.lock', sub {
    [ask($db, 'SELECT GET_LOCK(?, 5)', [$lock]), ask($db, 'SELECT IS_USED_LOCK(?) = CONNECTION_ID()', [$lock]), ask($db, 'SELECT RELEASE_LOCK(?)', [$lock])];
});
step('session.ping', sub { [$db->ping, $db->{"${prefix}_stat"} =~ /^Uptime: \d+ / ? 'statistics' : 'none'] });
step('session.reset', sub { absent('the driver does not send COM_RESET_CONNECTION') });
step('session.change_user', sub { absent('the driver does not send COM_CHANGE_USER') });

step('session.killed', sub {
    my $victim = connect_to();
    $db->do('KILL ' . $victim->{"${prefix}_thread_id"});
    my $deadline = time + 20;
    while (time < $deadline) {
        eval { ask($victim, 'SELECT 1'); 1 } or return 'lost';
    }
    'alive';
});
step('session.reconnect', sub {
    my $again = connect_to();
    [ask($again, 'SELECT DATABASE()'), $again->do("INSERT INTO items (name) VALUES ('again')")];
});
step('session.cancel', sub {
    absent($no_async) if $driver eq 'mysql';
    my $sleeper = connect_to();
    my $statement = $sleeper->prepare('SELECT SLEEP(30)', { "${prefix}_async" => 1 });
    $statement->execute;
    my ($ready, $result) = ("${prefix}_async_ready", "${prefix}_async_result");
    my $id = $sleeper->{"${prefix}_thread_id"};
    until ($statement->$ready) {
        $db->do("KILL QUERY $id");
        select undef, undef, undef, 0.05;
    }
    eval { $statement->$result; $statement->fetchall_arrayref } // failure();
});

step('pool.four', sub {
    my @four = map { connect_to() } 0 .. 3;
    for my $row (0 .. 4) {
        $four[$_]->do('INSERT INTO items (name, amount) VALUES (?, ?)', undef, "w$_-$row", $_) for 0 .. 3;
    }
    [map { ask($four[$_], "SELECT COUNT(*) FROM items WHERE name LIKE 'w$_-%'") } 0 .. 3];
});
step('pool.reads', sub {
    my $reader = connect_to();
    my $seen;
    $seen = ask($reader, "SELECT COUNT(*) >= 0 FROM bulk /* $ENV{DRIVERS_MARKER} */") for 1 .. 40;
    $seen;
});
$db->disconnect;
