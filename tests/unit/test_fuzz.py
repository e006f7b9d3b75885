"""The targets of tests/fuzz for a moment: `make fuzz` runs them for as long as asked, guided by coverage."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import FOUND, seeds
from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_what_is_right_or_broke_it_once(name: str) -> None:
    """Each seed, and each input that was ever found, cut short at every third byte as well."""
    for seed in seeds(name):
        for end in {*range(0, min(len(seed), 60), 3), len(seed)}:
            TARGETS[name](seed[:end])


@pytest.mark.parametrize("name", sorted(TARGETS))
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_bytes(name: str, data: st.DataObject) -> None:
    """Random bytes, alone and in the place of a part of a seed."""
    noise = data.draw(st.binary(max_size=120))
    TARGETS[name](noise)
    seed = data.draw(st.sampled_from(seeds(name)))
    at = data.draw(st.integers(0, len(seed)))
    TARGETS[name](seed[:at] + noise[:8] + seed[at + data.draw(st.integers(0, 8)) :])


def test_what_was_found_belongs_to_a_target() -> None:
    """A kept input whose target has gone would be tested no more."""
    for path in FOUND.glob("*"):
        assert path.name.partition("-")[0] in TARGETS
