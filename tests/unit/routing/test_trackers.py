"""What a connection is told to track, and what a client is told of that."""

from rwrouter.model import Flavor
from rwrouter.protocol.flags import SESSION_TRACK_STATE_CHANGE
from rwrouter.protocol.tracking import BY_DEFAULT
from rwrouter.routing.trackers import (
    Own,
    assignments,
    carried,
    own_assignments,
    question,
    read,
    told,
    variables_question,
    wanted,
)
from rwrouter.sql.trackers import GTIDS, NAMES, SCHEMA, STATE_CHANGE, SYSTEM_VARIABLES, TRANSACTION_INFO

TRACKED = ("sql_mode", "time_zone")
NAMED = frozenset({b"sql_mode", b"time_zone"})


def listed(own: Own, tracked: tuple[str, ...] = TRACKED) -> bytes:
    """Return the list of variables that a MySQL server is given."""
    first = assignments(wanted(Flavor.MYSQL, own, tracked))[0]
    head, _, value = first.partition(b"=")
    assert head == b"@@SESSION.session_track_system_variables"
    return value.strip(b"'")


def test_the_router_needs_most_and_the_client_adds_to_it() -> None:
    """Names, all GTIDs, transactions; what the router has on stays on."""
    names = ",".join((*TRACKED, *NAMES)).encode()
    assert listed({}) == names
    assert listed({SYSTEM_VARIABLES: b"time_zone, Max_Join_Size"}) == names + b",max_join_size"
    assert listed({SYSTEM_VARIABLES: b"time_zone,*"}) == b"*"
    assert listed({SYSTEM_VARIABLES: None}) == names
    assert listed({}, ()).startswith(b"time_zone,autocommit,")
    assert assignments(wanted(Flavor.MYSQL, {}, TRACKED))[1:] == [
        b"@@SESSION.session_track_schema=1",
        b"@@SESSION.session_track_state_change=1",
        b"@@SESSION.session_track_gtids='OWN_GTID'",
    ]
    own = {GTIDS: b"ALL_GTIDS", SCHEMA: b"0", STATE_CHANGE: b"0", TRANSACTION_INFO: b"STATE"}
    assert assignments(wanted(Flavor.MYSQL, own, TRACKED))[1:] == [
        b"@@SESSION.session_track_schema=1",
        b"@@SESSION.session_track_state_change=1",
        b"@@SESSION.session_track_transaction_info='STATE'",
        b"@@SESSION.session_track_gtids='ALL_GTIDS'",
    ]
    assert assignments(wanted(Flavor.MARIADB, {SYSTEM_VARIABLES: b"a"}, ("*",))) == [
        b"@@SESSION.session_track_system_variables='*'",
        b"@@SESSION.session_track_schema=1",
        b"@@SESSION.session_track_state_change=1",
    ]


def test_the_clients_own_are_put_back_as_they_were() -> None:
    """What it never set has the server's default."""
    own = {SCHEMA: b"0", SYSTEM_VARIABLES: None}
    assert own_assignments(own, (SCHEMA, SYSTEM_VARIABLES, GTIDS)) == [
        b"@@SESSION.session_track_schema=0",
        b"@@SESSION.session_track_system_variables=NULL",
        b"@@SESSION.session_track_gtids=DEFAULT",
    ]


def test_a_client_is_told_by_its_own_settings() -> None:
    """The defaults are the server's; what a statement speaks of passes whole."""
    assert told({}) == BY_DEFAULT
    everything = told(
        {
            GTIDS: b"OWN_GTID",
            STATE_CHANGE: b"1",
            SCHEMA: b"1",
            SYSTEM_VARIABLES: b"*",
            TRANSACTION_INFO: b"STATE",
        }
    )
    assert everything == (None, frozenset(), True)
    nothing = told({SCHEMA: b"0", SYSTEM_VARIABLES: b""})
    assert nothing.variables == frozenset()
    assert nothing.withheld == frozenset({1, 2, 3, 4, 5})
    assert told({SCHEMA: b"OFF"}).withheld == frozenset({1, 2, 3})
    assert told({SYSTEM_VARIABLES: b" SQL_mode ,time_zone"}).variables == frozenset(
        {b"sql_mode", b"time_zone"}
    )
    assert told({}, (GTIDS, TRANSACTION_INFO)).withheld == {SESSION_TRACK_STATE_CHANGE}
    assert told({}, (SYSTEM_VARIABLES,)) == (None, BY_DEFAULT.withheld, False)


def test_what_only_the_client_wants_to_know_is_not_carried() -> None:
    """With "*" MySQL reports what no client can set, and what is of one statement."""
    assert carried(Flavor.MYSQL, {}, TRACKED) is None
    assert carried(Flavor.MYSQL, {SYSTEM_VARIABLES: b"*"}, TRACKED) == NAMED
    assert carried(Flavor.MYSQL, {SYSTEM_VARIABLES: b"statement_id"}, TRACKED) == NAMED
    assert carried(Flavor.MARIADB, {SYSTEM_VARIABLES: b"*"}, ("*",)) is None


def test_they_are_read_whatever_the_character_set() -> None:
    """`character_set_results` may be one of two bytes; `sql_select_limit` may be 0."""
    assert question(Flavor.MARIADB).endswith(b"@@SESSION.session_track_transaction_info LIMIT 1")
    assert question(Flavor.MYSQL).endswith(b"@@SESSION.session_track_gtids LIMIT 1")
    row = [b"shop", None, b"\x001", b"0", b"\0O\0F\0F", b"\0O\0W\0N"]
    assert read(Flavor.MYSQL, row) == (
        b"shop",
        {
            SYSTEM_VARIABLES: None,
            SCHEMA: b"1",
            STATE_CHANGE: b"0",
            TRANSACTION_INFO: b"OFF",
            GTIDS: b"OWN",
        },
    )
    assert read(Flavor.MARIADB, [None, b"a", b"1", b"0", b"OFF"])[0] == b""
    assert b"performance_schema" in variables_question(Flavor.MYSQL)
    assert b"information_schema" in variables_question(Flavor.MARIADB)
