"""CBOR as the store speaks it."""

import pytest
from hypothesis import given, settings, strategies as st

from stratum_state.model import RunStatus
from stratum_state.surreal import cbor
from stratum_state.surreal.cbor import Id, Unencodable

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXT,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.from_regex("[a-z_]{1,9}", fullmatch=True), inner)
    ),
)


@settings(max_examples=40)
@given(VALUES)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    assert cbor.loads(cbor.dumps(value)) == value


@pytest.mark.parametrize("size", [0, 23, 24, 255, 256, 65_535, 65_536])
def test_sizes_at_their_bounds_come_back(size: int) -> None:
    value = ["x" * size, size, -1 - size, [None] * size]

    assert cbor.loads(cbor.dumps(value)) == value


def test_an_id_comes_back() -> None:
    step = Id("step", ["run1", 0, "lint", 1])

    assert cbor.loads(cbor.dumps(step)) == step


def test_a_member_of_an_enumeration_is_its_text() -> None:
    assert cbor.loads(cbor.dumps([RunStatus.RUNNING])) == ["running"]


def test_an_encoded_value_is_taken_as_it_is() -> None:
    rows = cbor.array([cbor.dumps({"n": 1}), cbor.dumps({"n": 2})])

    assert cbor.loads(cbor.dumps({"rows": rows})) == {"rows": [{"n": 1}, {"n": 2}]}


@pytest.mark.parametrize(
    "value",
    ["a\0b", "\ud800", 2**63, -(2**63) - 1, {"a": ["\0"]}, {1, 2}, 1.5, b"bytes"],
    ids=repr,
)
def test_what_the_store_would_alter_is_refused(value: object) -> None:
    with pytest.raises(Unencodable):
        cbor.dumps(value)


@pytest.mark.parametrize(
    ("encoded", "value"),
    [
        ("f93e00", 1.5),
        ("fb3ff8000000000000", 1.5),
        ("c6f6", None),
        ("f7", None),
        ("cc82011a1dcd6500", 1.5),
        ("d9010002", 2),
    ],
)
def test_what_only_the_engine_says_is_understood(encoded: str, value: object) -> None:
    assert cbor.loads(bytes.fromhex(encoded)) == value
