"""What is written is read back, for every structure in every format that has it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from lxml import etree

from txpachube import DataFormats, DecodeError, InvalidValue
from txpachube.structures.base import Structure
from txpachube.testing import strategies

MAKERS: list[Callable[..., SearchStrategy[Structure]]] = [
    strategies.units,
    strategies.locations,
    strategies.waypoints,
    strategies.datapoints,
    strategies.datastreams,
    strategies.environments,
    strategies.environment_lists,
    strategies.resources,
    strategies.permissions,
    strategies.keys,
    strategies.key_lists,
    strategies.triggers,
    strategies.trigger_lists,
    strategies.users,
    strategies.user_lists,
]
WITH_CSV = [
    strategies.datapoints,
    strategies.datastreams,
    strategies.environments,
    strategies.environment_lists,
]
CASES = [
    pytest.param(maker, format_, id=f"{maker.__name__}-{format_}")
    for maker in MAKERS
    for format_ in (DataFormats.JSON, DataFormats.XML, DataFormats.CSV)
    if format_ != DataFormats.CSV or maker in WITH_CSV
]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize(("maker", "format_"), CASES)
def test_what_is_written_is_read_back(maker: Callable[..., SearchStrategy[Structure]], format_: str) -> None:
    """A document holds everything that its structure does, as text and as bytes."""

    @FEW
    @given(maker(format_))
    def check(structure: Structure) -> None:
        written = structure.encode(format_)
        empty = type(structure)()
        assert empty.decode(written, format_) is empty
        assert empty == structure
        assert type(structure)().decode(written.encode(), format_) == structure

    check()


@pytest.mark.parametrize("maker", MAKERS)
def test_dicts_keywords_and_elements_are_read_back(maker: Callable[..., SearchStrategy[Structure]]) -> None:
    """The dict of a structure makes an equal one, so do its keywords and its element."""

    @FEW
    @given(maker(DataFormats.XML))
    def check(structure: Structure) -> None:
        kind: Any = type(structure)
        assert kind.fromDict(structure.toDict()) == structure
        assert kind(**structure.toDict()) == structure
        assert kind.fromXml(structure.toXml()) == structure

    check()


@pytest.mark.parametrize("maker", MAKERS)
def test_json_documents_are_dicts_read_by_any_parser(maker: Callable[..., SearchStrategy[Structure]]) -> None:
    """Any JSON parser reads what is written, and what it makes of it are keywords or a dict again."""

    @FEW
    @given(maker(DataFormats.JSON))
    def check(structure: Structure) -> None:
        document = json.loads(structure.encode())
        assert json.loads(str(structure)) == document
        kind: Any = type(structure)
        assert kind.fromDict(document) == structure
        if isinstance(document, dict):
            assert kind(**document) == structure

    check()


@pytest.mark.parametrize("maker", MAKERS)
def test_xml_text_is_read_by_any_parser(maker: Callable[..., SearchStrategy[Structure]]) -> None:
    """XML text says nothing about an encoding, for which parsers would refuse a text."""

    @FEW
    @given(maker(DataFormats.XML))
    def check(structure: Structure) -> None:
        written = structure.encode(DataFormats.XML)
        assert "encoding" not in written.partition("?>")[0]
        etree.fromstring(written)

    check()


@FEW
@given(st.data())
def test_broken_documents_raise_documented_errors_only(data: st.DataObject) -> None:
    """Whatever comes, decoding ends with a structure or with a ValueError of this package."""
    maker = data.draw(st.sampled_from(MAKERS))
    format_ = data.draw(st.sampled_from([DataFormats.JSON, DataFormats.XML]))
    structure = data.draw(maker(format_))
    body = bytearray(structure.encode(format_).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        if not body:
            break
    with contextlib.suppress(DecodeError, InvalidValue):
        type(structure)().decode(bytes(body), format_)
