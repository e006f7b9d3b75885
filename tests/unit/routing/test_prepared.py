"""Prepared statements of a session."""

from rwrouter.routing.prepared import FIRST, ON_A_CONNECTION, PreparedHere, StatementBook, context_of
from rwrouter.routing.session import Session
from rwrouter.sql.plans import Plan, Target

READ = Plan(Target.REPLICA, "reads")


def test_a_statement_is_known_from_its_reply_until_it_is_closed() -> None:
    """The client's ids are the router's; the last one has MariaDB's name, too."""
    book = StatementBook()
    pending = book.begin(b"SELECT ?", READ, Session())
    assert book.get(pending.number) is None
    statement = book.succeed(1)
    assert statement.parameters == 1
    assert statement.number == FIRST  # above all that a server counts to on a connection
    assert book.get(statement.number) is book.get(0xFFFFFFFF) is statement
    book.close(statement.number)
    assert book.get(statement.number) is None


def test_the_context_changes_with_the_schema() -> None:
    """After a USE the same text may name other tables."""
    session = Session(b"a")
    before = context_of(session)
    session.schema = b"b"
    assert context_of(session) != before


def test_the_context_changes_with_the_collation_and_not_with_its_discovery() -> None:
    """SET NAMES is another context; that the router has learnt its collation is none."""
    session = Session()
    before = context_of(session)
    session.on_reply(0, 2, [b"\x00\x21\x18character_set_connection\x07utf8mb4"])
    changed = context_of(session)
    assert changed != before
    session.variables[b"collation_connection"] = b"utf8mb4_bin"
    session.knows_collation = True
    assert context_of(session) == changed


def test_a_connection_keeps_a_bounded_number() -> None:
    """The one not used for longest is closed on the server."""
    book, here = StatementBook(), PreparedHere()
    statements = []
    for number in range(ON_A_CONNECTION):
        book.begin(b"SELECT ?", READ, Session())
        statements.append(book.succeed(0))
        assert here.add(statements[-1], number) == []
    here.used(statements[0])
    book.begin(b"SELECT ?", READ, Session())
    assert here.add(book.succeed(0), 9999) == [1]
    assert here.get(statements[0]) is not None
    assert here.get(statements[1]) is None


def test_what_is_held_is_not_closed() -> None:
    """An open cursor, and data that was sent ahead, live in the statement on that connection."""
    book, here = StatementBook(), PreparedHere()
    statements = []
    for number in range(ON_A_CONNECTION):
        book.begin(b"SELECT ?", READ, Session())
        statements.append(book.succeed(0))
        here.add(statements[-1], number)
    statements[1].has_long_data = True
    book.begin(b"SELECT ?", READ, Session())
    assert here.add(book.succeed(0), 9999, held={statements[0]}) == [2]


def test_if_all_are_held_all_stay() -> None:
    """The bound is passed until something ends."""
    book, here = StatementBook(), PreparedHere()
    for number in range(ON_A_CONNECTION + 5):
        book.begin(b"SELECT ?", READ, Session())
        statement = book.succeed(0)
        assert here.add(statement, number) == []
        statement.has_long_data = True
