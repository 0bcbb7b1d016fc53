"""
What reading and writing documents costs, as ratios to the bare libraries in the same run.

Run ``python bench/codecs_json_csv.py``. Each line names a case, its time, and how many times its baseline
that is; the baseline is measured right before and after it, and all numbers are medians.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from txpachube.codecs import csv_v2, json_v1
from txpachube.times import SECOND, format_micros

REPEATS: Final = 15
SHORTEST: Final = 0.01
"""Seconds that one sample takes at least, so that the clock's steps don't count."""

START: Final = 1_370_081_702 * SECOND


def streams(count: int, *, as_numbers: bool = False) -> list[dict[str, Any]]:
    """Return datastreams with everything a device sends."""
    return [
        {
            "id": f"sensor{index}",
            "current_value": index + 0.5 if as_numbers else f"{index}.50",
            "at": format_micros(START + index),
            "tags": ["air", "Greenhouse"],
            "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
        }
        for index in range(count)
    ]


def sampled(work: Callable[[], object]) -> Callable[[], float]:
    """Return a function that measures one run of ``work`` in seconds."""
    rounds, spent = 1, 0.0
    while spent < SHORTEST:
        rounds *= 2
        began = time.perf_counter()
        for _ in range(rounds):
            work()
        spent = time.perf_counter() - began

    def sample() -> float:
        began = time.perf_counter()
        for _ in range(rounds):
            work()
        return (time.perf_counter() - began) / rounds

    return sample


def compare(
    name: str, work: Callable[[], object], baseline: Callable[[], object], target: float | None
) -> None:
    """Measure in turns, so that a busy moment of the machine hits both, and print a line."""
    of_work, of_baseline = sampled(work), sampled(baseline)
    took, took_bare = [], []
    for _ in range(REPEATS):
        took_bare.append(of_baseline())
        took.append(of_work())
    mine, bare = statistics.median(took), statistics.median(took_bare)
    wanted = f"at most {target:.1f}" if target else ""
    print(f"{name:58} {mine * 1e6:9.2f} us {mine / bare:7.2f} x  {wanted}")


def main() -> None:
    """Print all ratios."""
    feed = {"id": 504, "title": "Office", "private": "false", "version": "1.0.0", "datastreams": streams(50)}
    body = msgspec.json.encode(feed)
    compare(
        "JSON feed, 50 streams: read / bare msgspec",
        lambda: json_v1.decode_feed(body),
        lambda: msgspec.json.decode(body),
        5,
    )
    odd = msgspec.json.encode({**feed, "datastreams": streams(50, as_numbers=True)})
    compare(
        "the same with numbers as values",
        lambda: json_v1.decode_feed(odd),
        lambda: msgspec.json.decode(odd),
        None,
    )
    small = (
        b'{"version":"1.0.0","datastreams":[{"id":"a","current_value":"21.5"},'
        b'{"id":"b","current_value":"3"}]}'
    )
    compare(
        "JSON update, 2 values: read / bare msgspec",
        lambda: json_v1.decode_feed(small),
        lambda: msgspec.json.decode(small),
        None,
    )
    small_odd = small.replace(b'"21.5"', b"21.5")
    compare(
        "the same with a number as value",
        lambda: json_v1.decode_feed(small_odd),
        lambda: msgspec.json.decode(small_odd),
        None,
    )
    points = [
        {"at": format_micros(START + index * SECOND), "value": f"{index / 7:.4f}"} for index in range(1000)
    ]
    plain = [{"value": point["value"], "at": point["at"]} for point in points]
    compare(
        "JSON datastream, 1000 datapoints: write / json.dumps",
        lambda: json_v1.encode_datastream({"id": "temp", "datapoints": points}),
        lambda: json.dumps(plain),
        1.5,
    )
    compare(
        "JSON feed, 10 streams: write / bare msgspec",
        lambda: json_v1.encode_feed({**feed, "location": {}, "datastreams": feed["datastreams"][:10]}),  # type: ignore[index] # a list
        lambda: msgspec.json.encode({**feed, "datastreams": feed["datastreams"][:10]}),  # type: ignore[index] # a list
        None,
    )
    few = b"temp,21.5\ndoor,2013-06-01T10:00:00Z,open"
    compare(
        "CSV update, 2 values: read / bare csv",
        lambda: csv_v2.decode_feed(few),
        lambda: list(csv.reader(io.StringIO(few.decode(), newline=""))),
        None,
    )
    rows = [(point["at"], point["value"]) for point in points]

    def write_rows() -> str:
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue()

    compare(
        "CSV datastream, 1000 datapoints: write / bare csv",
        lambda: csv_v2.encode_datastream({"id": "temp", "datapoints": points}, history=True),
        write_rows,
        None,
    )


if __name__ == "__main__":
    main()
