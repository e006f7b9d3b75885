"""SHOW."""

import pytest

from rwrouter.sql.plans import Target
from rwrouter.sql.shows import target_of_show
from rwrouter.sql.tokens import tokenize


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("tables", Target.REPLICA),
        ("full columns from t", Target.REPLICA),
        ("create table t", Target.REPLICA),
        ("create user u", Target.PRIMARY),
        ("warnings", Target.SAME),
        ("global status", Target.PRIMARY),
        ("session status", Target.SAME),
        ("full processlist", Target.LOCAL),
        ("processlist x", Target.PRIMARY),
        ("something new", Target.PRIMARY),
        ("", Target.PRIMARY),
    ],
)
def test_each_form_has_its_place(text: str, target: Target) -> None:
    """A form that is on no list goes to the primary."""
    assert target_of_show(tokenize(text) or [])[0] is target
