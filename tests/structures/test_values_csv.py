"""Structures in CSV."""

from __future__ import annotations

from typing import Any

import pytest

from txpachube import (
    DataFormats,
    Datapoint,
    Datastream,
    DecodeError,
    Environment,
    EnvironmentList,
    InvalidValue,
)

CSV = DataFormats.CSV
T1 = "2013-06-01T09:59:58.000000Z"
T2 = "2013-06-01T10:15:02.001200Z"


def feed(**streams: dict[str, Any]) -> Environment:
    """Return a feed of the given datastreams."""
    return Environment(datastreams=[{"id": name, **fields} for name, fields in streams.items()])


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (feed(door={}, temp={"current_value": "21.50", "at": T2}), f'door,,""\ntemp,{T2},21.50'),
        (feed(temp={"current_value": "21.5"}), "temp,21.5"),
        (feed(temp={"current_value": 'a,"b"'}), 'temp,"a,""b"""'),
        (Environment(), ""),
    ],
)
def test_current_values(given: Environment, written: str) -> None:
    """A datastream is a row; without a time it has two fields, without a value the service's sign for it."""
    assert given.encode(CSV) == written
    assert (Environment().decode(written, CSV).datastreams or {}) == (given.datastreams or {})


def test_history_is_sorted_by_time() -> None:
    """As soon as there are datapoints all of them are written, of all datastreams, by time."""
    given = feed(
        b={"datapoints": [{"at": T2, "value": "2"}, {"at": T1, "value": "1"}]},
        a={"datapoints": [{"at": "2013-06-01T10:00:00.000000Z", "value": "3"}]},
        door={},
    )
    assert given.encode(CSV) == f"b,{T1},1\na,2013-06-01T10:00:00.000000Z,3\nb,{T2},2"


def test_nothing_is_left_out_beside_datapoints() -> None:
    """Current values stand among the datapoints, once, and those without a time at the end."""
    given = feed(
        a={
            "current_value": "9",
            "at": T2,
            "datapoints": [{"at": T1, "value": "1"}, {"at": T2, "value": "9"}],
        },
        b={"current_value": "5", "at": T1},
        c={"current_value": "open"},
    )
    assert given.encode(CSV) == f"a,{T1},1\nb,{T1},5\na,{T2},9\nc,open"
    given = feed(a={"current_value": "9", "at": T2, "datapoints": [{"at": T1, "value": "1"}]})
    assert given.encode(CSV) == f"a,{T1},1\na,{T2},9"


def test_what_csv_cannot_carry_is_refused() -> None:
    """A datapoint without a time can't stand among others, neither can a current value."""
    with pytest.raises(InvalidValue, match="datapoints must be"):
        feed(a={"datapoints": [{"value": "1"}]}).encode(CSV)
    with pytest.raises(InvalidValue, match="at must be given"):
        feed(a={"current_value": "1", "datapoints": [{"at": T1, "value": "1"}]}).encode(CSV)
    with pytest.raises(InvalidValue, match="value must be given"):
        Datapoint(at=T1).encode(CSV)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (Datastream(current_value="21.50", at=T2), f"{T2},21.50"),
        (Datastream(current_value="21.50"), "21.50"),
        (Datastream(current_value=""), '""'),
        (Datastream(), ',""'),
        (Datastream(datapoints=[{"at": T1, "value": 1}, {"at": T2, "value": 2}]), f"{T1},1\n{T2},2"),
    ],
)
def test_a_datastream(given: Datastream, written: str) -> None:
    """A datastream is its value, its time and value, or its history; it has no id."""
    assert given.encode(CSV) == written
    assert Datastream().decode(written, CSV) == given


def test_a_datapoint_is_its_value() -> None:
    """A datapoint is only its value; the time is known from where it was asked for."""
    assert Datapoint(at=T1, value="JEBEL ALI").encode(CSV) == "JEBEL ALI"
    assert Datapoint().decode("0000017", CSV) == Datapoint(value="0000017")


def test_an_empty_value_is_no_missing_value() -> None:
    """An empty value with a time, or in a row of two fields, is a value."""
    read = Environment().decode(f'a,,""\nb,{T1},""\nc,""\nd,', CSV)
    assert read == feed(
        a={}, b={"current_value": "", "at": T1}, c={"current_value": ""}, d={"current_value": ""}
    )


def test_a_list_of_feeds() -> None:
    """The rows of a list begin with the feed's id; totals have no place."""
    page = EnvironmentList().decode(f'504,door,,""\n504,temp,{T2},21.50\n7,a,{T1},1', CSV)
    assert page == EnvironmentList(
        feeds=[
            Environment(
                id=504, datastreams=[{"id": "door"}, {"id": "temp", "current_value": "21.50", "at": T2}]
            ),
            Environment(id=7, datastreams=[{"id": "a", "current_value": "1", "at": T1}]),
        ]
    )
    assert page.encode(CSV) == f'504,door,,""\n504,temp,{T2},21.50\n7,a,{T1},1'
    assert EnvironmentList().decode("", CSV) == EnvironmentList()


@pytest.mark.parametrize("body", ["a", "a,b,c,d", 'a,"', "a,1\na,2"])
def test_broken_csv(body: str) -> None:
    """What is no CSV of this kind is refused."""
    with pytest.raises(DecodeError):
        Environment().decode(body, CSV)
