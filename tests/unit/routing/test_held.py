"""What a session holds by name: pins end with the last of a kind, and only where that is certain."""

from rwrouter.routing.held import Held
from rwrouter.sql import plans

TEMPORARY, DROPS, NAMED_LOCK = plans.TEMPORARY_TABLE, plans.DROPS_TABLE, plans.NAMED_LOCK
ONE = plans.ONE_LOCK_CALL


def test_the_last_temporary_table_ends_the_pin() -> None:
    """By schema and name; a table of that name elsewhere is another one."""
    held = Held()
    assert held.follow(TEMPORARY, ["a"], "shop") == 0
    assert held.follow(TEMPORARY, ["test.b"], "shop") == 0
    assert held.follow(DROPS, ["b"], "shop") == 0
    assert held.follow(DROPS, ["a", "c"], "shop") == 0
    assert held.follow(DROPS, ["b"], "test") == TEMPORARY


def test_what_has_no_certain_name_keeps_the_pin() -> None:
    """Several statements in a packet, or ALTER TABLE … RENAME."""
    held = Held()
    held.follow(TEMPORARY | DROPS, ["?"], "shop")
    assert held.follow(DROPS, ["a"], "shop") == 0
    renamed = Held()
    renamed.follow(TEMPORARY, ["a"], "shop")
    renamed.follow(plans.RENAMES_TABLE, ["a"], "shop")
    assert renamed.follow(DROPS, ["a"], "shop") == 0


def test_prepared_names_and_handlers() -> None:
    """Each kind is counted by itself."""
    held = Held()
    held.follow(plans.PREPARES, ["s", "@sql"], "shop")
    held.follow(plans.HANDLER_OPENS, ["s"], "shop")
    assert held.follow(plans.DEALLOCATES, ["s"], "shop") == plans.PREPARES
    assert held.follow(plans.HANDLER_CLOSES, ["s"], "shop") == plans.HANDLER_OPENS


def test_named_locks_are_counted_by_what_the_server_answers() -> None:
    """A lock that was not got is none; RELEASE_ALL_LOCKS ends all, and all doubt."""
    held = Held()
    assert held.lock(NAMED_LOCK | ONE, 0) == NAMED_LOCK
    assert held.lock(NAMED_LOCK | ONE, -1) == NAMED_LOCK
    assert held.lock(NAMED_LOCK | ONE, 1) == 0
    assert held.lock(NAMED_LOCK | ONE, 1) == 0
    assert held.lock(plans.RELEASES_LOCK | ONE, 1) == 0
    assert held.lock(plans.RELEASES_LOCK | ONE, 0) == 0
    assert held.lock(plans.RELEASES_LOCK | ONE, 1) == NAMED_LOCK
    assert held.lock(NAMED_LOCK, None) == 0
    assert held.lock(plans.RELEASES_LOCK | ONE, 1) == 0
    assert held.lock(plans.RELEASES_LOCK | plans.RELEASES_ALL, 1) == NAMED_LOCK
