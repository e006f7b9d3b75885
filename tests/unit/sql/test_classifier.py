"""Classification: the table, the caches, the hot path's promises."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
            pins = plans.names(
                plan.effects & (plans.PINS | plans.KEEPS | plans.BEGINS | plans.BEGINS_READ_ONLY)
            )
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


# What any two spellings of a statement must not change: `{}` stands for a blank, `L` for a literal.
SPELLINGS = (
    "select{}a{}from{}t{}where{}id = L and{}b{}in (L, L){}order by a{}limit L",
    "select{}L, `x y` from{}t for{}update",
    "insert{}into{}t values (L, L), (L, L)",
    "select{}get_lock(L, L)",
    "set{}@a = L, autocommit = L",
    "with{}q{}as (select{}L){}select * from q{}union{}select{}f(L)",
    "kill{}query L",
    "(select{}max(a) from{}t){}union{}table{}u",
    "show{}tables{}like L",
)
BLANKS = st.sampled_from([" ", "\n", "\t \r\n", "/**/", "/* it's */", " -- x\n", "#`\n", "/* a */ /* b */"])
LITERALS = st.sampled_from(
    ["1", "0", "12345", "1.5", "1e10", "'a'", "''", "'it''s'", "'a\\'b'", "'/*'", "0x41", "x'41'"]
)


@given(st.sampled_from(SPELLINGS), st.data())
def test_spelling_does_not_change_a_plan(pattern: str, data: st.DataObject) -> None:
    """Literals, white space, case of keywords and plain comments leave target, effects and digest alone."""
    classifier = Classifier(Flavor.MARIADB)
    plain = classifier.plan(pattern.replace("{}", " ").replace("L", "5").encode())
    text = data.draw(st.sampled_from(["", "/* x */", "-- x\n", " "]))
    for piece in re.split(r"(\{\}|L)", pattern):
        if piece == "{}":
            text += data.draw(BLANKS)
        elif piece == "L":
            text += data.draw(LITERALS)
        else:
            text += piece.upper() if data.draw(st.booleans()) else piece
    text += data.draw(st.sampled_from(["", ";", " ; ", "/* x */", " -- x", "#"]))
    plan = classifier.plan(text.encode())
    assert (plan.target, plan.effects, plan.reason) == (plain.target, plain.effects, plain.reason), text
    assert plan.digest.lower() == plain.digest.lower(), text


NOISE = st.lists(
    st.sampled_from(
        (
            *("'", '"', "`", "\\", "/*", "*/", "/*!", "/*!50000", "--", "#", "(", ")", ",", ";", "."),
            *("@", "@@", "1", "1e", "0x", "select", "for", "update", "into", "a", ":", "$", "{", "}"),
        )
    )
    | st.sampled_from(["\n", " ", "\x00", "\xa0", "é", "-- ", "/*+", "??"]),
    max_size=60,
).map(lambda pieces: "".join(pieces).encode())


@given(
    st.binary(max_size=200) | NOISE | NOISE.map(lambda noise: b"SELECT 1 " + noise),
    st.booleans(),
    st.booleans(),
)
def test_no_bytes_raise_and_the_same_bytes_have_the_same_plan(
    sql: bytes, ansi_quotes: bool, no_backslash_escapes: bool
) -> None:
    """Whatever a client sends has a plan, from a warm cache the same as from a cold one."""
    for flavor in Flavor:
        cold = Classifier(flavor, ansi_quotes=ansi_quotes, no_backslash_escapes=no_backslash_escapes)
        first, again = cold.plan(sql), cold.plan(sql)
        assert (first.target, first.effects, first.digest) == (again.target, again.effects, again.digest)
        shared = SHARED[flavor, ansi_quotes, no_backslash_escapes].plan(sql)
        assert (first.target, first.effects, first.digest) == (shared.target, shared.effects, shared.digest)


# They have seen all earlier examples: what one statement left in the caches must not change another's plan.
SHARED = {
    (flavor, *modes): Classifier(flavor, ansi_quotes=modes[0], no_backslash_escapes=modes[1], capacity=100)
    for flavor in Flavor
    for modes in ((False, False), (False, True), (True, False), (True, True))
}


@given(NOISE)
def test_a_second_statement_never_hides(noise: bytes) -> None:
    """Whatever stands before it as a whole statement, what follows is not sent to a replica as a read."""
    classifier = Classifier(Flavor.MYSQL)
    if classifier.plan(b"SELECT 1 " + noise).target is Target.REPLICA:
        sql = b"SELECT 1 " + noise + b"\n; DELETE FROM t"
        assert classifier.plan(sql).target is Target.PRIMARY, sql


NASTY = (
    "'",
    "`",
    "\\'",
    "/*!",
    "/*! a */",
    "/*+ */",
    "(",
    "1,1x ",
    "'a',",
    "'a'x",
    "a.",
    "(1),",
    "-",
    "x'1'",
    "f(a) ",
)


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("piece", NASTY)
def test_a_megabyte_of_anything_is_read_in_bounded_time(piece: str) -> None:
    """Half a second at worst where this was written; what is quadratic would take hours."""
    for start in (b"SELECT ", b"SELECT '"):
        text = start + piece.encode() * ((1 << 20) // len(piece))
        assert Classifier(Flavor.MYSQL).plan(text[: 1 << 20])
