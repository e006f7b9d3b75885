"""What it costs to find the plan of a statement: from the cache, and for the first time.

    python benchmarks/classifier.py

Prints microseconds of one core a statement, best of five rounds. A hit is what each statement of a running
application costs; a miss happens once for each shape of statement (here with a new classifier each time).
"""

import timeit
from collections.abc import Callable

from rwrouter.model import Flavor
from rwrouter.sql.classifier import Classifier

STATEMENTS = {
    "point select": b"SELECT c FROM sbtest1 WHERE id=12345",
    "range select": b"SELECT DISTINCT c FROM sbtest1 WHERE id BETWEEN 5000 AND 5099 ORDER BY c",
    "update with a string": b"UPDATE sbtest1 SET c='" + b"08566691963-" * 10 + b"' WHERE id=4999",
    "object mapper, comment at its end": b"SELECT `a`.`id`, `a`.`name` FROM `accounts` AS `a` WHERE"
    b" `a`.`email` = 'joe@example.com' AND `a`.`id` IN (1, 2, 3) /*traceparent='00-4bf92f'*/",
    "comment at its start": b"/* ping */ SELECT 1",
    "backslash in a string": b"SELECT a FROM t WHERE b = 'it\\'s'",
    "IN list of 1,000": b"SELECT a FROM t WHERE id IN (" + b", ".join(b"%d" % n for n in range(1_000)) + b")",
    "insert of 1 MB": b"INSERT INTO t VALUES "
    + b",".join(b"(%d, 'text %d')" % (n, n) for n in range(45_000)),
}


def best(call: Callable[[], object], number: int) -> float:
    """Return the microseconds that one *call* takes, in the best of five rounds."""
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def main() -> None:
    """Print the table."""
    print(f"{'statement':36}{'bytes':>9}{'hit, us':>10}{'miss, us':>10}")
    for name, sql in STATEMENTS.items():
        number = 20_000 if len(sql) < 500 else 20
        warm = Classifier(Flavor.MYSQL)
        warm.plan(sql)

        def hit(plan: Callable[[bytes], object] = warm.plan, sql: bytes = sql) -> object:
            return plan(sql)

        def miss(sql: bytes = sql) -> object:
            return Classifier(Flavor.MYSQL).plan(sql)

        print(f"{name:36}{len(sql):9,}{best(hit, number):10.2f}{best(miss, max(10, number // 100)):10.1f}")


if __name__ == "__main__":
    main()
