"""Plans."""

from rwrouter.sql import plans


def test_effects_are_distinct_bits() -> None:
    """No two effects share a bit, so that a union of effects can be taken apart."""
    values = list(plans.EFFECT_NAMES)
    assert len(values) >= 30
    assert all(value & (value - 1) == 0 for value in values)
