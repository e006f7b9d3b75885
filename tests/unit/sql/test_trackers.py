"""Statements that set or show session_track_*."""

import pytest

from rwrouter.model import Flavor
from rwrouter.sql import plans
from rwrouter.sql.classifier import Classifier
from rwrouter.sql.trackers import GTIDS, NAMES, SCHEMA, STATE_CHANGE, SYSTEM_VARIABLES, spoken_of

CLASSIFIER = Classifier(Flavor.MYSQL)


@pytest.mark.parametrize(
    ("sql", "spoken"),
    [
        ("SET session_track_gtids=OWN_GTID, sql_mode=''", (GTIDS,)),
        ("SET @@SESSION.Session_Track_Schema := 0", (SCHEMA,)),
        ("SET session_track_system_variables=CONCAT(@@session_track_system_variables, ',sql_mode')", None),
        ("SET `session_track_state_change`=1", (STATE_CHANGE,)),
        ("SET session_track_schema=0; SELECT 1", (SCHEMA,)),
        ("SELECT @@session_track_schema", (SCHEMA,)),
        ("SELECT 1 FROM t WHERE a = @@session.session_track_gtids", (GTIDS,)),
        ("INSERT INTO t SELECT @@session_track_gtids", (GTIDS,)),
        ("SELECT @@global.session_track_schema", ()),
        ("SET GLOBAL session_track_schema = 0", ()),
        ("SELECT 1", ()),
        ("SHOW VARIABLES", NAMES),
        ("SHOW SESSION VARIABLES LIKE 'session%'", NAMES),
        ('SHOW LOCAL VARIABLES LIKE "%GTIDS"', NAMES),
        ("SHOW VARIABLES LIKE 'session\\_track\\_schema'", NAMES),
        ("SHOW VARIABLES LIKE 'session_track_schem_'", NAMES),
        ("SHOW VARIABLES LIKE 'sql%'", ()),
        ("SHOW VARIABLES LIKE 'max\\_allowed\\_packet' ;", ()),
        ("SHOW GLOBAL VARIABLES", ()),
        ("SHOW VARIABLES WHERE Variable_name = 'language' OR Variable_name = 'sql_mode'", ()),
        ("SHOW VARIABLES WHERE Variable_name IN ('language', 'sql_mode')", ()),
        ("SHOW VARIABLES WHERE Variable_name IN ('session_track_schema')", NAMES),
        ("SHOW VARIABLES WHERE Variable_name LIKE 's%' OR Value = 1", NAMES),
        ("SELECT * FROM performance_schema.session_variables", NAMES),
        ("SELECT * FROM performance_schema.session_variables WHERE VARIABLE_NAME = 'sql_mode'", ()),
        ("SELECT * FROM performance_schema.global_variables", ()),
    ],
)
def test_which_are_spoken_of(sql: str, spoken: tuple[str, ...] | None) -> None:
    """By name in the digest, or by what a list may have in it."""
    text = sql.encode()
    assert spoken_of(CLASSIFIER.plan(text), text) == ((SYSTEM_VARIABLES,) if spoken is None else spoken)


def test_a_set_that_was_cut_short_may_speak_of_all() -> None:
    """The digest of a plan ends somewhere."""
    sql = b"SET " + b", ".join(b"@a%d = 1" % number for number in range(400)) + b", session_track_schema = 0"
    plan = CLASSIFIER.plan(sql)
    assert plan.effects & plans.TRACKERS
    assert spoken_of(plan, sql) == NAMES
