"""Classification: the table, the caches, the hot path's promises."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.plans import Target
from tests.routing_cases import CASES, MARIADB, MYSQL, Case

Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def classifiers() -> dict[Key, Classifier]:
    """Return the classifiers of the table by dialect, mode and character set, filled when asked for."""
    return {}


def _for(case: Case, on: str, classifiers: dict[Key, Classifier]) -> Classifier:
    key = (on, case.mode, case.charset)
    if key not in classifiers:
        classifiers[key] = Classifier(
            Flavor(on),
            ansi_quotes=case.mode == "ANSI_QUOTES",
            no_backslash_escapes=case.mode == "NO_BACKSLASH_ESCAPES",
            multibyte_unsafe=bool(case.charset),
        )
    return classifiers[key]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_each_statement_goes_where_the_table_says(case: Case, classifiers: dict[Key, Classifier]) -> None:
    """Target, reason and pins of each row, in each dialect that it is for, first seen and from the cache."""
    for on in [case.on] if case.on else [MYSQL, MARIADB]:
        classifier = _for(case, on, classifiers)
        for _ in range(2):
            plan = classifier.plan(case.sql)
            pins = plans.names(plan.effects & (plans.PINS | plans.BEGINS | plans.BEGINS_READ_ONLY))
            assert (plan.target.value, sorted(pins)) == (case.target, sorted(case.pins)), plan.reason
            assert case.why in plan.reason


def test_a_function_that_only_reads_may_go_to_a_replica() -> None:
    """The catalogue settles a function with its schema; without one the schema is not known."""
    classifier = Classifier(Flavor.MYSQL, reading_routines=frozenset({"db.reader", "sys.format_bytes"}))
    assert classifier.plan(b"SELECT db.reader(1)").target is Target.REPLICA
    assert classifier.plan(b"SELECT `DB` . `Reader` (1)").target is Target.REPLICA
    assert classifier.plan(b"SELECT sys.format_bytes(1)").target is Target.REPLICA
    assert classifier.plan(b"SELECT reader(1)").target is Target.PRIMARY
    assert classifier.plan(b"SELECT db.writer(1)").target is Target.PRIMARY


def test_a_digest_learned_as_a_write_stays_on_the_primary() -> None:
    """What a server refused is not sent to a replica again, however its literals change."""
    classifier = Classifier(Flavor.MYSQL)
    plan = classifier.plan(b"SELECT * FROM a_view WHERE id = 1")
    classifier.learn_write(plan.digest)
    learned = classifier.plan(b"SELECT * FROM a_view WHERE id = 2")
    assert (learned.target, learned.reason) == (Target.PRIMARY, "a server has refused it as a write")
    assert classifier.plan(b"SELECT * FROM another WHERE id = 1").target is Target.REPLICA
    assert classifier.counters.learned == 1


def test_what_is_cut_off_is_never_a_read() -> None:
    """The head of a statement proves nothing, unless it is all of it."""
    classifier = Classifier(Flavor.MYSQL)
    assert classifier.plan_head(b"SELECT 1", 9_000_000).target is Target.PRIMARY
    assert classifier.plan_head(b"INSERT INTO t VALUES (1", 9_000_000).effects == plans.WRITES
    assert classifier.plan_head(b"SELECT 1", 8).target is Target.REPLICA


def test_the_cache_is_bounded_in_entries_and_bytes() -> None:
    """A million different statements leave no more than the capacity, and no more than the memory."""
    classifier = Classifier(Flavor.MYSQL, capacity=20, memory=100_000)
    for number in range(1_000):
        classifier.plan(b"SELECT c%d FROM t" % number)
    assert classifier.cached <= 20
    small = Classifier(Flavor.MYSQL, capacity=1_000_000, memory=100_000)
    for number in range(1_000):
        small.plan(b"SELECT c%d, %s FROM t" % (number, b"x" * 500))
    assert 0 < small.cached < 120


def test_counters_tell_what_was_not_known() -> None:
    """Unknown first words and texts of unclear end are counted, hits are not misses."""
    classifier = Classifier(Flavor.MYSQL)
    for sql in (b"SELECT 1", b"SELECT 2", b"FOO", b"SELECT '"):
        classifier.plan(sql)
    counters = classifier.counters
    assert (counters.misses, counters.unknown, counters.not_understood) == (2, 1, 1)
