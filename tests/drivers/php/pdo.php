<?php
// The program of PDO's mysql driver (mysqlnd): the steps of ../steps.py.

require __DIR__ . '/program.php';

function connect(array $options = [], ?string $where = null, ?string $schema = null, ?string $password = null): PDO
{
    $where ??= 'host=' . env('HOST') . ';port=' . env('PORT');
    $schema ??= env('SCHEMA');
    return new PDO("mysql:$where;dbname=$schema;charset=utf8mb4", env('USER'), $password ?? env('PASSWORD'), $options + [
        PDO::ATTR_DEFAULT_FETCH_MODE => PDO::FETCH_NUM,
        PDO::MYSQL_ATTR_LOCAL_INFILE => true,
    ]);
}

function failure(PDOException $error): array
{
    $info = $error->errorInfo;
    return error($info[1] ?? $error->getCode(), $info[2] ?? $error->getMessage(), $info[0] ?? null);
}

/** Rows of a statement with a result, else the affected rows. Parameters go into the text. */
function ask(PDO $db, string $sql, array $values = []): mixed
{
    $statement = $db->prepare($sql, [PDO::ATTR_EMULATE_PREPARES => true]);
    return run($statement, $values);
}

/** Run a statement that has no result. */
function change(PDO $db, string $sql): int
{
    return $db->exec($sql);
}

function execute(PDO $db, string $sql, array $values = []): mixed
{
    return run($db->prepare($sql, [PDO::ATTR_EMULATE_PREPARES => false]), $values);
}

function run(PDOStatement $statement, array $values): mixed
{
    foreach (array_values($values) as $n => $value) {
        $type = is_int($value) ? PDO::PARAM_INT : ($value === null ? PDO::PARAM_NULL : PDO::PARAM_STR);
        $statement->bindValue($n + 1, $value, $type);
    }
    $statement->execute();
    $seen = $statement->columnCount() ? $statement->fetchAll() : $statement->rowCount();
    $statement->closeCursor();
    return $seen;
}

$nothing = fn (string $what) => ['absent' => $what];
say(['driver' => 'PDO mysql', 'version' => PHP_VERSION]);
$db = connect();
step('connect.plain', fn () => ask($db, CHARSETS));
step('connect.socket', fn () => ask(connect([], 'unix_socket=' . env('SOCKET')), "SELECT DATABASE(), USER() LIKE 'app@%'"));
step('connect.wrong_password', fn () => fails(fn () => connect(password: 'wrong')));
step('connect.unknown_schema', fn () => fails(fn () => connect(schema: 'nowhere_at_all')));
step('connect.version', fn () => $db->getAttribute(PDO::ATTR_SERVER_VERSION));
step('connect.tls', fn () => ask(connect([PDO::MYSQL_ATTR_SSL_CA => '', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false]), 'SELECT 1'));

$places = fn (int $count) => implode(', ', array_fill(0, $count, '?'));
$insert = 'INSERT INTO kinds (' . COLUMNS . ') VALUES (' . $places(count(row())) . ')';
$read = 'SELECT ' . COLUMNS . ' FROM kinds WHERE id = ?';
$nulls = array_fill(0, count(row()), null);
step('text.tables', fn () => array_map(fn ($sql) => $db->exec($sql), tables()));
step('text.insert', fn () => ask($db, $insert, row()));
step('text.types', fn () => ask($db, $read, [1]));
step('text.nulls', fn () => [ask($db, $insert, $nulls), ask($db, $read, [2])]);
step('text.columns', function () use ($db) {
    $result = $db->query('SELECT *, 1 + 1 AS two FROM kinds WHERE id = 1');
    $result->fetchAll();
    return array_map(fn ($n) => $result->getColumnMeta($n), range(0, $result->columnCount() - 1));
});
step('text.empty', fn () => [ask($db, 'SELECT id FROM kinds WHERE id = 99'), ask($db, 'UPDATE kinds SET tiny = 1 WHERE id = 99')]);
step('text.literals', fn () => ask($db, 'SELECT ' . $places(count(LITERALS)), LITERALS));

step('prepared.insert', fn () => execute($db, $insert, row()));
step('prepared.types', fn () => execute($db, $read, [3]));
step('prepared.nulls', fn () => [execute($db, $insert, $nulls), execute($db, $read, [4])]);
step('prepared.again', function () use ($db) {
    $statement = $db->prepare('SELECT ?, ? * 2, id FROM kinds WHERE id = 1', [PDO::ATTR_EMULATE_PREPARES => false]);
    return array_map(fn ($pair) => run($statement, $pair), [[1, 2], [3, 4], [5, 1], [null, 2]]);
});
step('prepared.errors', fn () => fails(fn () => execute($db, 'INSERT INTO kinds (id) VALUES (?)', [1])));

step('bulk.insert', function () use ($db) {
    $values = array_merge(...array_map(fn ($n) => [$n, "wört 🐬 $n"], range(0, 999)));
    $rows = implode(', ', array_fill(0, 1000, '(?, ?)'));
    return [ask($db, "INSERT INTO bulk (n, word) VALUES $rows", $values), ask($db, 'SELECT COUNT(*), SUM(n), MAX(word) FROM bulk')];
});
step('bulk.blob', function () use ($db) {
    $statement = $db->prepare('INSERT INTO files VALUES (1, ?)', [PDO::ATTR_EMULATE_PREPARES => false]);
    $statement->bindValue(1, blob(), PDO::PARAM_LOB);
    $statement->execute();
    $back = ask($db, 'SELECT content FROM files WHERE id = 1')[0][0];
    return [$statement->rowCount(), strlen($back), md5($back)];
});

step('counts.insert_id', fn () => [$db->exec("INSERT INTO items (name) VALUES ('one'), ('two'), ('three')"), $db->lastInsertId()]);
step('counts.last_insert_id', fn () => ask($db, 'SELECT LAST_INSERT_ID()'));
step('counts.changed', fn () => [$db->exec('UPDATE items SET amount = 0 WHERE id = 1'), $db->exec('UPDATE items SET amount = 5 WHERE id = 1')]);
step('counts.found', fn () => connect([PDO::MYSQL_ATTR_FOUND_ROWS => true])->exec('UPDATE items SET amount = 5 WHERE id = 1'));
step('counts.upsert', fn () => $db->exec("INSERT INTO items (name, amount) VALUES ('one', 7) ON DUPLICATE KEY UPDATE amount = 7"));
step('counts.row_count', fn () => [$db->exec('UPDATE items SET amount = amount + 1'), ask($db, 'SELECT ROW_COUNT()')]);

step('transaction.commit', function () use ($db) {
    $witness = connect();
    $db->beginTransaction();
    $inserted = $db->exec("INSERT INTO items (name) VALUES ('committed')");
    $before = ask($witness, COMMITTED);
    $db->commit();
    return [$inserted, $before, ask($witness, COMMITTED . ' LOCK IN SHARE MODE')];
});
step('transaction.rollback', function () use ($db) {
    $db->beginTransaction();
    $db->exec("INSERT INTO items (name) VALUES ('gone')");
    $inside = [$db->inTransaction(), ask($db, COUNTED)];
    $db->rollBack();
    return [$inside, $db->inTransaction(), ask($db, COUNTED)];
});
step('transaction.savepoint', function () use ($db) {
    $db->beginTransaction();
    $db->exec("INSERT INTO items (name) VALUES ('kept')");
    $db->exec('SAVEPOINT here');
    $db->exec("INSERT INTO items (name) VALUES ('undone')");
    $inside = ask($db, COUNTED);
    $db->exec('ROLLBACK TO SAVEPOINT here');
    $db->commit();
    return [$inside, ask($db, COUNTED)];
});
step('transaction.autocommit_off', function () use ($db) {
    $db->setAttribute(PDO::ATTR_AUTOCOMMIT, false);
    $db->exec("INSERT INTO items (name) VALUES ('unfinished')");
    $inside = ask($db, COUNTED);
    $db->rollBack();
    $outside = ask($db, COUNTED);
    $db->exec('COMMIT');
    $db->setAttribute(PDO::ATTR_AUTOCOMMIT, true);
    return [$inside, $outside, ask($db, 'SELECT @@autocommit')];
});
step('transaction.isolation', fn () => isolation($db));
step('transaction.read_only', function () use ($db) {
    $db->exec('START TRANSACTION READ ONLY');
    $seen = fails(fn () => $db->exec("INSERT INTO items (name) VALUES ('refused')"));
    $db->exec('ROLLBACK');
    return $seen;
});
step('transaction.read_only_reads', function () use ($db) {
    $db->exec('START TRANSACTION READ ONLY');
    $seen = [ask($db, COUNTED), ask($db, 'SELECT MAX(id) FROM items')];
    $db->exec('COMMIT');
    return $seen;
});

take_errors($db);
step('error.locked', function () use ($db) {
    $holder = connect();
    $holder->beginTransaction();
    ask($holder, 'SELECT id FROM items WHERE id = 1 FOR UPDATE');
    return fails(fn () => ask($db, 'SELECT id FROM items WHERE id = 1 FOR UPDATE NOWAIT'));
});
step('error.deadlock', fn () => $nothing('a PDO program runs one statement at a time'));
step('error.after', fn () => ask($db, 'SELECT 1'));

step('warning.write', fn () => [$db->exec("INSERT IGNORE INTO items (name) VALUES (REPEAT('x', 30))"), ask($db, 'SHOW WARNINGS')]);
step('warning.read', fn () => [ask($db, "SELECT CAST('12x' AS SIGNED)"), ask($db, 'SHOW WARNINGS')]);

function several(PDO $db, string $sql): array
{
    $statement = $db->query($sql);
    $seen = [];
    do {
        $seen[] = $statement->columnCount() ? $statement->fetchAll() : $statement->rowCount();
    } while ($statement->nextRowset());
    return $seen;
}

step('routine.out', function () use ($db) {
    execute($db, 'CALL add_up(?, ?, @total, @words)', [2, 3]);
    return ask($db, 'SELECT @total, @words');
});
step('routine.results', fn () => several($db, 'CALL two_results(7)'));
step('routine.function', fn () => ask($db, 'SELECT twice(21)'));
step('routine.statements', fn () => several($db, 'SELECT 1; UPDATE items SET amount = 9 WHERE id = 2; SELECT amount FROM items WHERE id = 2'));

step('stream.rows', function () use ($db) {
    $statement = $db->prepare(PORTIONS, [PDO::MYSQL_ATTR_USE_BUFFERED_QUERY => false]);
    $statement->execute();
    [$count, $sum] = [0, 0];
    foreach ($statement as $row) {
        $count += 1;
        $sum += array_sum($row);
    }
    return [$count, $sum];
});
step('stream.cursor', fn () => $nothing('the driver has no server-side cursors'));
step('infile.load', fn () => [
    $db->exec("LOAD DATA LOCAL INFILE '" . env('INFILE') . "' INTO TABLE loaded CHARACTER SET utf8mb4"),
    ask($db, 'SELECT COUNT(*), SUM(n), MAX(word) FROM loaded'),
]);

step('session.use', function () use ($db) {
    $db->exec('USE ' . env('OTHER'));
    $seen = [ask($db, 'SELECT DATABASE()'), fails(fn () => ask($db, 'SELECT * FROM items'))];
    $db->exec('USE ' . env('SCHEMA'));
    return [...$seen, ask($db, 'SELECT DATABASE()'), ask($db, 'SELECT COUNT(*) > 0 FROM items')];
});
step('session.variables', fn () => variables($db));
step('session.temporary', fn () => temporary($db));
$lock = env('SCHEMA') . '_lock';
step('session.lock', fn () => [
    ask($db, 'SELECT GET_LOCK(?, 5)', [$lock]),
    ask($db, 'SELECT IS_USED_LOCK(?) = CONNECTION_ID()', [$lock]),
    ask($db, 'SELECT RELEASE_LOCK(?)', [$lock]),
]);
step('session.ping', fn () => preg_match('/^Uptime: \d+ /', $db->getAttribute(PDO::ATTR_SERVER_INFO)));
step('session.reset', fn () => $nothing('the driver does not send COM_RESET_CONNECTION'));
step('session.change_user', fn () => $nothing('the driver does not send COM_CHANGE_USER'));

step('session.killed', function () use ($db) {
    $victim = connect();
    $db->exec('KILL ' . ask($victim, 'SELECT CONNECTION_ID()')[0][0]);
    return after_kill($victim);
});
step('session.reconnect', function () {
    $again = connect();
    return [ask($again, 'SELECT DATABASE()'), $again->exec("INSERT INTO items (name) VALUES ('again')")];
});
step('session.cancel', fn () => $nothing('a PDO program runs one statement at a time'));

step('pool.four', function () {
    $four = array_map(fn () => connect(), range(0, 3));
    foreach (range(0, 4) as $row) {
        foreach ($four as $n => $one) {
            $one->exec("INSERT INTO items (name, amount) VALUES ('w$n-$row', $n)");
        }
    }
    return array_map(fn ($n) => ask($four[$n], "SELECT COUNT(*) FROM items WHERE name LIKE 'w$n-%'"), range(0, 3));
});
step('pool.reads', fn () => reads(connect()));
