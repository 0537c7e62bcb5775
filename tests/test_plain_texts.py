"""Values of a column that are all texts or all truth values: as texts at once, as they are one by one."""

from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.adapt import Transformer

from seedframe import Secret
from seedframe.database.table import TableColumn
from seedframe.resources.encode import Unsuitable, encode, plain_texts
from seedframe.sources.records import JsonLiteral


class _Colour(Enum):
    RED = "red"


_TEXT = st.text(st.sampled_from("aé\x00\ud800\U0001f600"), max_size=3)
_VALUE = st.one_of(
    st.none(),
    _TEXT,
    st.booleans(),
    st.integers(),
    _TEXT.map(JsonLiteral),
    st.sampled_from(_Colour),
)
_LISTS = st.one_of(st.lists(st.none() | _TEXT), st.lists(st.none() | st.booleans()), st.lists(_VALUE))


def _column(base_type: str) -> TableColumn:
    return TableColumn(
        name="c",
        type=base_type,
        base_type=base_type,
        element_type=None,
        length=None,
        collation=None,
        not_null=False,
        has_default=False,
        generated=False,
        identity="",
        hashes_as_is=True,
        equality=None,
    )


@given(values=_LISTS, base_type=st.sampled_from(["text", "bool", "jsonb"]), json_source=st.booleans())
def test_at_once_is_as_one_by_one(values: list[Any], base_type: str, json_source: bool) -> None:
    column, transformer = _column(base_type), Transformer()
    at_once = plain_texts(values, column)
    if at_once is not None:
        assert at_once == [encode(value, column, transformer, json_source=json_source) for value in values]


@pytest.mark.parametrize("values", [["a", None, "é"], [True, None, False], [None], []])
def test_what_is_plain_is_done_at_once(values: list[Any]) -> None:
    assert plain_texts(values, _column("text")) is not None


@pytest.mark.parametrize("value", ["a\x00", "\udfff"])
def test_what_cannot_be_stored_is_left_to_the_one(value: str) -> None:
    assert plain_texts(["a", value], _column("text")) is None
    with pytest.raises(Unsuitable):
        encode(value, _column("text"), Transformer())


def test_a_secret_is_none_of_them() -> None:
    assert plain_texts(["a", Secret("hush")], _column("text")) is None
