<?php
// The program of mysqli (mysqlnd): the steps of ../steps.py.

require __DIR__ . '/program.php';

mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);

function connect(array $options = []): mysqli
{
    $db = mysqli_init();
    $db->options(MYSQLI_OPT_LOCAL_INFILE, true);
    $db->real_connect(
        $options['host'] ?? env('HOST'),
        env('USER'),
        $options['password'] ?? env('PASSWORD'),
        $options['database'] ?? env('SCHEMA'),
        (int) env('PORT'),
        $options['socket'] ?? null,
        $options['flags'] ?? 0,
    );
    $db->set_charset('utf8mb4');
    return $db;
}

function failure(Throwable $error): array
{
    return error($error->getCode(), $error->getMessage(), $error instanceof mysqli_sql_exception ? $error->getSqlState() : null);
}

/** Rows of a statement with a result, else the affected rows. */
function ask(mysqli $db, string $sql): mixed
{
    $result = $db->query($sql);
    return $result instanceof mysqli_result ? $result->fetch_all() : $db->affected_rows;
}

/** Run a statement that has no result. */
function change(mysqli $db, string $sql): int
{
    return ask($db, $sql);
}

function execute(mysqli $db, string $sql, array $values): mixed
{
    $statement = $db->prepare($sql);
    $statement->execute($values);
    $result = $statement->get_result();
    return $result instanceof mysqli_result ? $result->fetch_all() : $statement->affected_rows;
}

/** mysqli puts no parameters into text: its users escape. */
function quoted(mysqli $db, array $values): string
{
    return implode(', ', array_map(
        fn ($value) => $value === null ? 'NULL' : (is_string($value) ? "'" . $db->real_escape_string($value) . "'" : var_export($value, true)),
        $values,
    ));
}

function refused(array $options): array
{
    return fails(fn () => connect($options)->thread_id);
}

say(['driver' => 'mysqli', 'version' => PHP_VERSION]);
$db = connect();
step('connect.plain', fn () => ask($db, CHARSETS));
step('connect.socket', fn () => ask(connect(['host' => 'localhost', 'socket' => env('SOCKET')]), "SELECT DATABASE(), USER() LIKE 'app@%'"));
step('connect.wrong_password', fn () => refused(['password' => 'wrong']));
step('connect.unknown_schema', fn () => refused(['database' => 'nowhere_at_all']));
step('connect.version', fn () => [$db->server_info, $db->server_version, $db->protocol_version]);
step('connect.tls', fn () => ask(connect(['flags' => MYSQLI_CLIENT_SSL | MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT]), 'SELECT 1'));

$bytes = [8, 17, 18, 19]; // the columns that are no text: mysqli has one type for both
$insert = 'INSERT INTO kinds (' . COLUMNS . ') VALUES ';
$read = 'SELECT ' . COLUMNS . ' FROM kinds WHERE id = ';
$places = '(' . implode(', ', array_fill(0, count(row()), '?')) . ')';
$nulls = array_fill(0, count(row()), null);
step('text.tables', fn () => array_map(fn ($sql) => ask($db, $sql), tables()));
step('text.insert', fn () => ask($db, $insert . '(' . quoted($db, row()) . ')'));
step('text.types', fn () => ask($db, $read . '1'));
step('text.nulls', fn () => [ask($db, $insert . '(' . quoted($db, $nulls) . ')'), ask($db, $read . '2')]);
step('text.columns', function () use ($db) {
    $result = $db->query('SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1');
    return array_map(fn ($field) => (array) $field, $result->fetch_fields());
});
step('text.empty', fn () => [ask($db, 'SELECT id FROM kinds WHERE id = 99'), ask($db, 'UPDATE kinds SET tiny = 1 WHERE id = 99')]);
step('text.literals', fn () => ask($db, 'SELECT ' . quoted($db, LITERALS)));

step('prepared.insert', fn () => execute($db, $insert . $places, row()));
step('prepared.types', fn () => execute($db, $read . '?', [3]));
step('prepared.nulls', fn () => [execute($db, $insert . $places, $nulls), execute($db, $read . '?', [4])]);
step('prepared.again', function () use ($db) {
    $statement = $db->prepare('SELECT ?, ? * 2, id FROM kinds WHERE id = 1');
    $seen = [];
    foreach ([['ii', 1, 2], ['ii', 3, 4], ['ii', 5, 1], ['ii', null, 2]] as [$types, $one, $two]) {
        $statement->bind_param($types, $one, $two);
        $statement->execute();
        $seen[] = $statement->get_result()->fetch_all();
    }
    return $seen;
});
step('prepared.errors', fn () => fails(fn () => execute($db, 'INSERT INTO kinds (id) VALUES (?)', [1])));

step('bulk.insert', function () use ($db) {
    $rows = array_map(fn ($n) => '(' . quoted($db, [$n, "wört 🐬 $n"]) . ')', range(0, 999));
    return [ask($db, 'INSERT INTO bulk (n, word) VALUES ' . implode(', ', $rows)), ask($db, 'SELECT COUNT(*), SUM(n), MAX(word) FROM bulk')];
});
step('bulk.blob', function () use ($db) {
    $statement = $db->prepare('INSERT INTO files VALUES (1, ?)');
    $none = null;
    $statement->bind_param('b', $none);
    foreach (str_split(blob(), 65536) as $part) {
        $statement->send_long_data(0, $part);
    }
    $statement->execute();
    $back = ask($db, 'SELECT content FROM files WHERE id = 1')[0][0];
    return [$statement->affected_rows, strlen($back), md5($back)];
});

step('counts.insert_id', function () use ($db) {
    ask($db, "INSERT INTO items (name) VALUES ('one'), ('two'), ('three')");
    return [$db->affected_rows, $db->insert_id, $db->info, $db->warning_count];
});
step('counts.last_insert_id', fn () => ask($db, 'SELECT LAST_INSERT_ID()'));
$update = fn ($on, $amount) => [ask($on, "UPDATE items SET amount = $amount WHERE id = 1"), $on->info];
step('counts.changed', fn () => [$update($db, 0), $update($db, 5)]);
step('counts.found', fn () => $update(connect(['flags' => MYSQLI_CLIENT_FOUND_ROWS]), 5));
step('counts.upsert', fn () => ask($db, "INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7"));
step('counts.row_count', fn () => [ask($db, 'UPDATE items SET amount = amount + 1'), ask($db, 'SELECT ROW_COUNT()')]);

step('transaction.commit', function () use ($db) {
    $witness = connect();
    $db->begin_transaction();
    $inserted = ask($db, "INSERT INTO items (name) VALUES ('committed')");
    $before = ask($witness, COMMITTED);
    $db->commit();
    return [$inserted, $before, ask($witness, COMMITTED . ' LOCK IN SHARE MODE')];
});
step('transaction.rollback', function () use ($db) {
    $db->begin_transaction();
    ask($db, "INSERT INTO items (name) VALUES ('gone')");
    $inside = ask($db, COUNTED);
    $db->rollback();
    return [$inside, ask($db, COUNTED)];
});
step('transaction.savepoint', function () use ($db) {
    $db->begin_transaction();
    ask($db, "INSERT INTO items (name) VALUES ('kept')");
    $db->savepoint('here');
    ask($db, "INSERT INTO items (name) VALUES ('undone')");
    $inside = ask($db, COUNTED);
    ask($db, 'ROLLBACK TO SAVEPOINT `here`');
    $db->commit();
    return [$inside, ask($db, COUNTED)];
});
step('transaction.autocommit_off', function () use ($db) {
    $db->autocommit(false);
    ask($db, "INSERT INTO items (name) VALUES ('unfinished')");
    $inside = ask($db, COUNTED);
    $db->rollback();
    $outside = ask($db, COUNTED);
    $db->commit();
    $db->autocommit(true);
    return [$inside, $outside, ask($db, 'SELECT @@autocommit')];
});
step('transaction.isolation', fn () => isolation($db));
step('transaction.read_only', function () use ($db) {
    $db->begin_transaction(MYSQLI_TRANS_START_READ_ONLY);
    $seen = fails(fn () => ask($db, "INSERT INTO items (name) VALUES ('refused')"));
    $db->rollback();
    return $seen;
});
step('transaction.read_only_reads', function () use ($db) {
    $db->begin_transaction(MYSQLI_TRANS_START_READ_ONLY);
    $seen = [ask($db, COUNTED), ask($db, 'SELECT MAX(id) FROM items')];
    $db->commit();
    return $seen;
});

take_errors($db);
step('error.locked', function () use ($db) {
    $holder = connect();
    $holder->begin_transaction();
    ask($holder, 'SELECT id FROM items WHERE id = 1 FOR UPDATE');
    return fails(fn () => ask($db, 'SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT'));
});
step('error.deadlock', function () {
    [$heavy, $light] = [connect(), connect()];
    $heavy->begin_transaction();
    ask($heavy, "UPDATE bulk SET word = 'heavy' WHERE n < 500");
    $light->begin_transaction();
    ask($light, 'UPDATE items SET amount = 50 WHERE id = 1');
    $heavy->query('UPDATE items SET amount = 60 WHERE id = 1', MYSQLI_ASYNC);
    $seen = fails(fn () => ask($light, "UPDATE bulk SET word = 'light' WHERE n = 1"));
    $heavy->reap_async_query();
    return [$seen, $heavy->affected_rows];
});
step('error.after', fn () => ask($db, 'SELECT 1'));

step('warning.write', fn () => [
    ask($db, "INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"),
    $db->warning_count,
    (array) $db->get_warnings(),
    ask($db, 'SHOW WARNINGS'),
]);
step('warning.read', fn () => [ask($db, "SELECT CAST('12x' AS SIGNED)"), $db->warning_count, ask($db, 'SHOW WARNINGS')]);

function several(mysqli $db, string $sql): array
{
    $db->multi_query($sql);
    $seen = [];
    do {
        $result = $db->store_result();
        $seen[] = $result instanceof mysqli_result ? $result->fetch_all() : $db->affected_rows;
    } while ($db->more_results() && $db->next_result());
    return $seen;
}

step('routine.out', function () use ($db) {
    $statement = $db->prepare('CALL add_up(?, ?, @total, @words)');
    $statement->execute([2, 3]);
    $statement->close();
    return ask($db, 'SELECT @total, @words');
});
step('routine.results', fn () => several($db, 'CALL two_results(7)'));
step('routine.function', fn () => ask($db, 'SELECT twice(21)'));
step('routine.statements', fn () => several($db, 'SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2'));

step('stream.rows', function () use ($db) {
    [$count, $sum] = [0, 0];
    foreach ($db->query(PORTIONS, MYSQLI_USE_RESULT) as $row) {
        $count += 1;
        $sum += array_sum($row);
    }
    return [$count, $sum];
});
step('stream.cursor', function () use ($db) {
    // One round trip a row: mysqlnd fetches no more at once.
    $statement = $db->prepare('SELECT n AS one, 2 * n AS two FROM bulk ORDER BY n');
    $statement->attr_set(MYSQLI_STMT_ATTR_CURSOR_TYPE, MYSQLI_CURSOR_TYPE_READ_ONLY);
    $statement->execute();
    $statement->bind_result($one, $two);
    [$count, $sum] = [0, 0];
    while ($statement->fetch()) {
        $count += 1;
        $sum += $one + $two;
    }
    return [$count, $sum];
});
step('infile.load', fn () => [
    ask($db, "LOAD DATA LOCAL INFILE '" . env('INFILE') . "' INTO TABLE loaded CHARACTER SET utf8mb4"),
    $db->info,
    ask($db, 'SELECT COUNT(*), SUM(n), MAX(word) FROM loaded'),
]);

step('session.use', function () use ($db) {
    $db->select_db(env('OTHER'));
    $seen = [ask($db, 'SELECT DATABASE()'), fails(fn () => ask($db, 'SELECT * FROM items'))];
    $db->select_db(env('SCHEMA'));
    return [...$seen, ask($db, 'SELECT DATABASE()'), ask($db, 'SELECT COUNT(*) > 0 FROM items')];
});
step('session.variables', fn () => variables($db));
step('session.temporary', fn () => temporary($db));
$lock = env('SCHEMA') . '_lock';
step('session.lock', fn () => [
    ask($db, "SELECT GET_LOCK('$lock', 5)"),
    ask($db, "SELECT IS_USED_LOCK('$lock') = CONNECTION_ID()"),
    ask($db, "SELECT RELEASE_LOCK('$lock')"),
]);
step('session.ping', fn () => [$db->ping(), preg_match('/^Uptime: \d+ /', $db->stat())]);
step('session.reset', fn () => ['absent' => 'the driver does not send COM_RESET_CONNECTION']);
step('session.change_user', function () {
    $old = connect();
    ask($old, "SET @mine = 1, time_zone = '+05:00'");
    ask($old, 'CREATE TEMPORARY TABLE mine (a INT)');
    $old->change_user(env('USER'), env('PASSWORD'), env('SCHEMA'));
    return [ask($old, 'SELECT @mine, @@time_zone, DATABASE()'), fails(fn () => ask($old, 'SELECT * FROM mine')), ask($old, CHARSETS)];
});

step('session.killed', function () use ($db) {
    $victim = connect();
    // mysqli::kill() is COM_PROCESS_KILL, which MySQL 9 knows no more.
    env('FLAVOR') === 'mariadb' ? $db->kill($victim->thread_id) : ask($db, "KILL {$victim->thread_id}");
    return after_kill($victim);
});
step('session.reconnect', function () {
    $again = connect();
    return [ask($again, 'SELECT DATABASE()'), ask($again, "INSERT INTO items (name) VALUES ('again')")];
});
step('session.cancel', function () use ($db) {
    $sleeper = connect();
    $sleeper->query('SELECT SLEEP(30)', MYSQLI_ASYNC);
    do {
        ask($db, "KILL QUERY {$sleeper->thread_id}");
        $links = $errors = $rejects = [$sleeper];
    } while (!mysqli::poll($links, $errors, $rejects, 0, 50000));
    try {
        return $sleeper->reap_async_query()->fetch_all();
    } catch (mysqli_sql_exception $error) {
        return failure($error);
    }
});

step('pool.four', function () {
    $four = array_map(fn () => connect(), range(0, 3));
    foreach (range(0, 4) as $row) {
        foreach ($four as $n => $one) { // all four at once, each its own statement
            $one->query("INSERT INTO items (name, amount) VALUES ('w$n-$row', $n)", MYSQLI_ASYNC);
        }
        foreach ($four as $one) {
            $one->reap_async_query();
        }
    }
    return array_map(fn ($n) => ask($four[$n], "SELECT COUNT(*) FROM items WHERE name LIKE 'w$n-%'"), range(0, 3));
});
step('pool.reads', fn () => reads(connect()));
