"""Whatever bytes the decoders of JSON and CSV get, only the documented error leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from txpachube.codecs import csv_v1, csv_v2, json_v06, json_v1, records_json
from txpachube.errors import DecodeError

DECODERS: list[Callable[[bytes], Any]] = [
    getattr(module, name)
    for module in (json_v1, json_v06, csv_v1, csv_v2, records_json)
    for name in module.__all__
    if name.startswith("decode_")
]

DOCUMENTS: list[Any] = [
    {
        "id": 1,
        "title": "x",
        "private": "false",
        "tags": ["a", "b"],
        "user": {"login": "rosa"},
        "version": "1.0.0",
        "datastreams": [
            {
                "id": "a",
                "current_value": "1",
                "at": "T",
                "max_value": "2",
                "tags": ["c"],
                "unit": {"type": "basicSI", "label": "m"},
                "datapoints": [{"at": "T", "value": "1"}],
            }
        ],
        "location": {"lat": 1.5, "lon": "2", "ele": "3", "waypoints": [{"at": "T", "lat": 1, "lon": 2}]},
    },
    {"version": "0.6-alpha", "datastreams": [{"id": "0", "values": [{"value": "1", "recorded_at": "T"}]}]},
    {"version": "0.6-alpha", "id": "0", "values": [{"value": "1"}]},
    {"totalResults": 1, "startIndex": 0, "itemsPerPage": 1, "results": [{"id": 1, "datastreams": []}]},
    {"datapoints": [{"at": "T", "value": "1"}]},
    {"key": {"label": "x", "permissions": [{"access_methods": ["get"], "resources": [{"feed_id": 1}]}]}},
    {"keys": [{"key": {"label": "x"}}]},
    [{"trigger": {"environment_id": "1", "threshold_value": "2"}}],
    {"user": {"login": "x", "roles": ["a"], "deliver_email": True}},
]

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()  # NaN and infinity included: the standard library writes them
    | st.text(st.characters(), max_size=5)  # lone surrogates and NUL included, as escapes
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """Make a document of which some parts are something else, gone, or doubled."""
    if draw(st.integers(0, 7)) == 0:
        return draw(values)
    if isinstance(document, dict):
        found = {name: draw(changed(member)) for name, member in document.items() if draw(st.integers(0, 15))}
        if draw(st.integers(0, 7)) == 0:
            found[draw(st.sampled_from(["datastreams", "datapoints", "values", "version", "key", "x"]))] = (
                draw(values)
            )
        return found
    if isinstance(document, list):
        return [draw(changed(element)) for element in document for _ in range(draw(st.integers(0, 2)))]
    return document


@st.composite
def damaged(draw: st.DrawFn, body: bytes) -> bytes:
    """Make a body of which some bytes are missing, doubled or something else."""
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 8)))
        body = (
            body[:start]
            + draw(st.sampled_from([b"", body[start:end] * 2]) | st.binary(max_size=4))
            + body[end:]
        )
    return body


def test_all_decoders_are_here() -> None:
    """The decoders of all modules are tried, none is forgotten by its name."""
    assert {decode.__module__.rpartition(".")[2] for decode in DECODERS} == {
        "json_v1",
        "json_v06",
        "csv_v1",
        "csv_v2",
        "records_json",
    }


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes(body: bytes) -> None:
    """Any bytes at all are read or refused."""
    for decode in DECODERS:
        with suppress(DecodeError):
            decode(body)


@settings(max_examples=300)
@given(st.data())
def test_changed_documents(data: st.DataObject) -> None:
    """Documents with wrong types anywhere are read or refused, and what is read can be written as JSON."""
    document = data.draw(changed(data.draw(st.sampled_from(DOCUMENTS))))
    body = json.dumps(document).encode()
    for decode in DECODERS:
        with suppress(DecodeError):
            json.dumps(decode(body), allow_nan=False).encode()


@given(st.data())
def test_damaged_documents(data: st.DataObject) -> None:
    """Documents with damaged bytes are read or refused."""
    rows = [b'a,T,1\nb,2\r\nc,,"3,4"\n', b"T,1\nU,2", b"1,2,3"]
    whole = [json.dumps(document).encode() for document in DOCUMENTS] + rows
    body = data.draw(damaged(data.draw(st.sampled_from(whole))))
    for decode in DECODERS:
        with suppress(DecodeError):
            decode(body)


def texts_of(read: Any) -> Iterator[str]:
    """Walk through all texts of something that was read."""
    if isinstance(read, str):
        yield read
    elif isinstance(read, dict):
        for member in read.values():
            yield from texts_of(member)
    elif isinstance(read, list):
        for element in read:
            yield from texts_of(element)


@given(st.data())
def test_no_text_that_cannot_be_passed_on(data: st.DataObject) -> None:
    """No text that was read has a NUL character or half of a surrogate pair."""
    document = data.draw(changed(data.draw(st.sampled_from(DOCUMENTS))))
    body = json.dumps(document).encode()
    for decode in DECODERS:
        with suppress(DecodeError):
            for text in texts_of(decode(body)):
                assert "\0" not in text
                assert text.encode().decode() == text
