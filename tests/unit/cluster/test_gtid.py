"""GTID sets against a model: plain sets of (source, number)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rwrouter.cluster.gtid import GtidSet, covers, merge

A = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
B = "4e11fa47-71ca-11e1-9e33-c80aa9429562"

sources = st.sampled_from([A, B, f"{A}:billing", f"{B}:x_1"])
models = st.frozensets(st.tuples(sources, st.integers(1, 30)), max_size=40)
positions = st.dictionaries(st.integers(0, 4), st.tuples(st.integers(1, 9), st.integers(1, 50)))


def text_of(model: frozenset[tuple[str, int]]) -> str:
    """Write each transaction alone: the longest way to say it."""
    return ",\n".join(f"{source.upper()}:{number}" for source, number in sorted(model))


def position_text(position: dict[int, tuple[int, int]]) -> str:
    return ",".join(f"{domain}-{server}-{last}" for domain, (server, last) in position.items())


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("", ""),
        (f"{A}:1", f"{A}:1"),
        (f"{A.upper()}:1-3:4 , \n{B}:7", f"{A}:1-4,{B}:7"),
        (f"{A}:5:1-3", f"{A}:1-3:5"),
        (f"{A}:5-3", ""),
        (f"{A}:1-5:billing:2-3:9:audit:1", f"{A}:1-5:audit:1:billing:2-3:9"),
        (f"{A}:billing:1,{A}:2", f"{A}:2:billing:1"),
        ("0-1-42", "0-1-42"),
        ("10-3-7,2-1-9", "2-1-9,10-3-7"),
        ("0-1-5,0-2-9", "0-2-9"),
        ("0-1-0", ""),
    ],
)
def test_texts_are_read_and_written_as_servers_do(text: str, printed: str) -> None:
    """Sources are sorted, intervals joined, tags follow their uuid's untagged part."""
    assert str(GtidSet.parse(text)) == printed


@pytest.mark.parametrize(
    "text",
    [
        "x",
        A,
        f"{A}:",
        f"{A}:0-5",
        f"{A}:1-",
        f"{A}:9tag:1",
        "0-1",
        "0-1-2-3",
        ":1",
        f"{A}:{1 << 64}",
        f"0-1-{1 << 64}",
    ],
)
def test_what_is_no_gtid_set_is_refused(text: str) -> None:
    """A text that no server would take raises ValueError, and says which part."""
    with pytest.raises(ValueError, match=r"is no GTID|neither|counted|counts"):
        GtidSet.parse(text)


@given(models)
def test_printing_and_parsing_are_inverse(model: frozenset[tuple[str, int]]) -> None:
    """A set survives its own text, and is false only when it is empty."""
    one = GtidSet.parse(text_of(model))
    assert GtidSet.parse(str(one)) == one
    assert bool(one) == bool(model)


@given(models, models)
def test_mysql_sets_behave_as_sets(
    left: frozenset[tuple[str, int]], right: frozenset[tuple[str, int]]
) -> None:
    """Containment and union are those of the transactions named."""
    one, two = GtidSet.parse(text_of(left)), GtidSet.parse(text_of(right))
    assert one.contains(two) == (right <= left)
    assert one.union(two) == GtidSet.parse(text_of(left | right))
    assert covers(text_of(left), text_of(right)) == (right <= left)
    assert hash(one.union(two)) == hash(two.union(one))


@given(positions, positions)
def test_mariadb_positions_are_compared_by_domain(
    left: dict[int, tuple[int, int]], right: dict[int, tuple[int, int]]
) -> None:
    """A position covers another if it is as far in each of its domains; a union is the later of both."""
    one, two = GtidSet.parse(position_text(left)), GtidSet.parse(position_text(right))
    expected = all(domain in left and left[domain][1] >= last for domain, (_, last) in right.items())
    assert one.contains(two) == expected
    both = one.union(two)
    assert both.contains(one)
    assert both.contains(two)
    later = {
        domain: max((side[domain] for side in (left, right) if domain in side), key=lambda gtid: gtid[1])
        for domain in left.keys() | right.keys()
    }
    assert {item.split("-")[2] for item in str(both).split(",") if item} == {
        str(n) for _, n in later.values()
    }


@given(st.lists(st.integers(1, 20), max_size=30))
def test_a_position_grows_by_each_write(numbers: list[int]) -> None:
    """Merging the GTIDs of writes one by one covers each of them, and a server without them covers none."""
    position = ""
    for number in numbers:
        position = merge(position, f"{A}:{number}")
    assert all(covers(position, f"{A}:{number}") for number in numbers)
    assert covers("", "")
    assert covers("", position) == (not numbers)
    assert covers(f"{A}:1-20", position)
