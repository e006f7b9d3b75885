<?php
// What the PHP programs share: where to connect, how to say what was seen, one JSON object a line, and the steps that
// are the same for each. A program brings connect(), ask(), change() and failure().

const COLUMNS = 'tiny, small, medium, big, big_unsigned, price, single, twice, bits, day, span, moment, stamp, year, '
    . 'fixed, varied, long_text, bin, varied_bin, blob_, one_of, some_of, document';
const CHARSETS = 'SELECT DATABASE(), @@character_set_client, @@character_set_connection, @@character_set_results, '
    . '@@collation_connection';
const LITERALS = ["'", '"', '\\', '%', "\\'; -- ", '🐬', "\0\x1a\n", '`', ''];
const PORTIONS = 'SELECT b.n AS one, a.n AS two FROM bulk a CROSS JOIN bulk b WHERE b.n < 30 ORDER BY b.n, a.n';
const COUNTED = 'SELECT COUNT(*) FROM items';
// What another connection sees: its own reads are not ordered with ours, so it locks where it must see the newest.
const COMMITTED = "SELECT COUNT(*) FROM items WHERE name = 'committed'";
const ERRORS = [
    'error.duplicate' => "INSERT INTO items (name) VALUES ('one')",
    'error.syntax' => "SELEKT 'é' FROM items",
    'error.unknown_table' => 'SELECT * FROM nowhere WHERE a = 1',
    'error.foreign_key' => 'INSERT INTO children VALUES (1, 999)',
    'error.too_long' => "INSERT INTO items (name) VALUES (REPEAT('é', 30))",
    'error.signal' => 'CALL refuse()',
];

function env(string $name): string
{
    return getenv("DRIVERS_$name");
}

function tables(): array
{
    return explode("\n\n", trim(file_get_contents(env('TABLES'))));
}

function row(): array
{
    return [
        -128, -32768, -8388608, PHP_INT_MIN, '18446744073709551615', '12345678901234567890.0123456789', 1.5, -2.25e100,
        "\x02\x05", '2024-02-29', '-12:34:56.789012', '2024-02-29 23:59:59.123456', '2024-02-29 12:00:00', 2024,
        'fixed', 'naïve 🐬', "a longer text\nof two lines", "\0\xff'\\", "\0\1",
        implode('', array_map('chr', range(0, 255))), 'b', 'x,z', '{"a": [1, "é", null]}',
    ];
}

function blob(): string
{
    return str_repeat(implode('', array_map('chr', range(0, 255))), 4096);
}

function plain(mixed $value): mixed
{
    if (is_array($value)) {
        return array_map('plain', $value);
    }
    return is_string($value) && (!mb_valid($value) || str_contains($value, "\0")) ? '0x' . bin2hex($value) : $value;
}

function mb_valid(string $text): bool
{
    return preg_match('//u', $text) === 1;
}

function say(array $line): void
{
    echo json_encode($line, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION | JSON_THROW_ON_ERROR), "\n";
}

function error(int $number, string $message, ?string $sqlstate): array
{
    return ['number' => $number, 'sqlstate' => $sqlstate, 'message' => $message];
}

function step(string $name, callable $take): void
{
    try {
        $saw = $take();
    } catch (Throwable $failure) {
        $saw = ['unexpected' => get_class($failure) . ': ' . $failure->getMessage()];
    }
    if (is_array($saw) && isset($saw['absent'])) {
        say(['step' => $name] + $saw);
    } else {
        say(['step' => $name, 'saw' => plain($saw)]);
    }
}

function fails(callable $take): array
{
    try {
        return ['unexpected' => $take()];
    } catch (mysqli_sql_exception | PDOException $error) {
        return failure($error);
    }
}

function take_errors(object $db): void
{
    foreach (ERRORS as $name => $sql) {
        step($name, fn () => fails(fn () => ask($db, $sql)));
    }
}

function isolation(object $db): array
{
    $variable = env('FLAVOR') === 'mariadb' ? '@@tx_isolation' : '@@transaction_isolation';
    $seen = [];
    foreach (['READ COMMITTED', 'REPEATABLE READ'] as $level) {
        change($db, "SET SESSION TRANSACTION ISOLATION LEVEL $level");
        $seen[] = ask($db, "SELECT $variable");
    }
    return $seen;
}

function variables(object $db): array
{
    change($db, "SET @mine = 'ü', sql_mode = 'ANSI_QUOTES', time_zone = '+03:00'");
    $seen = ask($db, 'SELECT @mine, @@sql_mode, @@time_zone, "id" FROM items WHERE id = 1');
    change($db, 'SET sql_mode = DEFAULT, time_zone = DEFAULT');
    return $seen;
}

function temporary(object $db): array
{
    change($db, 'CREATE TEMPORARY TABLE mine AS SELECT id FROM items WHERE id < 3');
    $seen = ask($db, 'SELECT COUNT(*) FROM mine');
    change($db, 'DROP TEMPORARY TABLE mine');
    return [$seen, fails(fn () => ask($db, 'SELECT COUNT(*) FROM mine'))];
}

function after_kill(object $victim): string
{
    for ($deadline = time() + 20; time() < $deadline;) {
        if (!isset(fails(fn () => @ask($victim, 'SELECT 1'))['unexpected'])) {
            return 'lost';
        }
    }
    return 'alive';
}

function reads(object $reader): array
{
    foreach (range(1, 40) as $_) {
        $seen = ask($reader, 'SELECT COUNT(*) >= 0 FROM bulk /* ' . env('MARKER') . ' */');
    }
    return $seen;
}
