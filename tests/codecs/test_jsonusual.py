"""The quick ways of reading JSON give what the patient way gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import json_v1, jsonusual
from txpachube.errors import DecodeError

scalars = (
    st.text(max_size=5) | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
)
anything = (
    scalars
    | st.none()
    | st.lists(scalars, max_size=2)
    | st.dictionaries(st.text(max_size=3), scalars, max_size=2)
)


def objects(**usual: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Make objects whose members are nearly always of the usual type."""
    return st.fixed_dictionaries(
        {}, optional={name: kind | kind | kind | anything for name, kind in usual.items()}
    )


texts = st.text(max_size=5)
points = objects(at=texts, value=texts)
tags = st.lists(texts, max_size=3)
streams = objects(
    id=texts,
    current_value=scalars,
    at=texts,
    max_value=scalars,
    min_value=texts,
    tags=tags,
    unit=objects(type=texts, symbol=texts, label=texts),
    datapoints=st.lists(points, max_size=3),
    datapoints_function=texts,
    version=texts,
)
coordinates = st.floats(-180, 180) | texts
locations = objects(
    name=texts,
    domain=texts,
    ele=scalars,
    lat=coordinates,
    lon=coordinates,
    waypoints=st.lists(objects(at=texts, lat=coordinates, ele=texts), max_size=2),
)
feeds = objects(
    id=st.integers(0, 10**12),
    title=texts,
    private=st.booleans() | texts,
    tags=tags,
    updated=texts,
    user=objects(login=texts),
    version=st.sampled_from(["1.0.0", "0.6-alpha", ""]),
    datastreams=st.lists(streams, max_size=3),
    location=locations,
    odd=anything,
)
pages = objects(totalResults=st.integers(0, 9), startIndex=texts, results=st.lists(feeds, max_size=2))

CASES: list[tuple[str, Callable[[bytes], Any], st.SearchStrategy[Any]]] = [
    ("feed", json_v1.decode_feed, feeds),
    ("feed_list", json_v1.decode_feed_list, pages),
    ("datastream", json_v1.decode_datastream, streams | feeds),
    ("datapoints", json_v1.decode_datapoints, st.lists(points, max_size=3) | streams | feeds | points),
    ("datapoint", json_v1.decode_datapoint, points),
]


@given(data=st.data())
def test_both_ways_agree(data: st.DataObject) -> None:
    """A document read quickly is what it is when it is read part by part, and a refused one is refused."""
    name, decode, documents = data.draw(st.sampled_from(CASES))
    body = json.dumps(data.draw(documents)).encode()

    def outcome() -> object:
        try:
            return decode(body)
        except DecodeError as problem:
            return str(problem)

    quickly = outcome()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonusual, name, lambda body: None)
        assert outcome() == quickly


@pytest.mark.parametrize(
    "body",
    [
        b'{"title":"x","datastreams":[{"id":"a","current_value":"1"}]}',
        b'{"version":"1.0.0","datastreams":[{"id":0,"current_value":1.50,"tags":["x"],"unit":{}}]}',
    ],
)
def test_texts_and_numbers_are_both_usual(body: bytes) -> None:
    """Documents with texts as values and those with numbers are both read with a single call."""
    assert jsonusual.feed(body) is not None


def test_the_unusual_is_left_to_patience() -> None:
    """What is not of the usual types is no error here."""
    assert jsonusual.feed(b'{"title":7}') is None
    assert jsonusual.feed(b'{"datastreams":[{"id":"a","current_value":null}]}') is None
    assert jsonusual.feed(b"[]") is None


def test_what_is_not_json_is_refused_at_once() -> None:
    """Broken JSON is broken in every way of reading."""
    with pytest.raises(DecodeError, match="malformed"):
        jsonusual.feed(b'{"title":"x",}')
    with pytest.raises(DecodeError, match="malformed"):
        jsonusual.feed(b'{"datastreams":[{"id":1}],}')
