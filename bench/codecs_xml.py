"""
How long EEML takes, against the bare library on the same documents in the same run.

- decoding a feed of 50 datastreams against lxml's parser with its defaults and a walk over all
  elements that looks at tag, text and attributes: target at most 2 times as long;
- encoding it against building the same tree with lxml and serialising it: the reason why documents are
  written as text.

Run it with ``python bench/codecs_xml.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from lxml import etree

from txpachube.codecs import eeml
from txpachube.codecs.xmlnames import EEML
from txpachube.codecs.xmlsafe import parse

STREAMS = 50
ROUNDS = 40
REPEATS = 10


def feed() -> dict[str, Any]:
    """Return a feed as a device of that time had it."""
    return {
        "id": 2424,
        "title": "Greenhouse",
        "private": "false",
        "feed": "http://127.0.0.1:8000/v2/feeds/2424.xml",
        "status": "live",
        "updated": "2013-06-01T10:15:02.120034Z",
        "created": "2013-01-20T08:00:00.000000Z",
        "creator": "http://127.0.0.1:8000/users/rosa",
        "tags": ["glass", "Tomato"],
        "location": {
            "domain": "physical",
            "exposure": "outdoor",
            "disposition": "fixed",
            "lat": 52.1,
            "lon": 9.36,
        },
        "datastreams": [
            {
                "id": f"sensor_{number}",
                "current_value": f"{20 + number / 7:.2f}",
                "at": "2013-06-01T10:15:02.001200Z",
                "max_value": "38.2",
                "min_value": "-1.0",
                "tags": ["air"],
                "unit": {"type": "derivedSI", "symbol": "C", "label": "Celsius"},
            }
            for number in range(STREAMS)
        ],
    }


def walk(body: bytes) -> list[tuple[Any, str | None, dict[Any, Any]]]:
    """Parse and look at everything there is."""
    return [(element.tag, element.text, dict(element.attrib)) for element in etree.fromstring(body).iter()]


def built(document: Mapping[str, Any]) -> bytes:
    """Build the tree of a feed with lxml and serialise it."""
    root = etree.Element("eeml", xmlns=EEML, version="0.5.1")
    environment = etree.SubElement(
        root, "environment", {name: str(document[name]) for name in ("updated", "created", "id", "creator")}
    )

    def leaf(parent: etree._Element, name: str, text: object, attributes: Mapping[str, str]) -> None:
        etree.SubElement(parent, name, dict(attributes)).text = str(text)

    for name in ("title", "feed", "status", "private"):
        leaf(environment, name, document[name], {})
    for tag in document["tags"]:
        leaf(environment, "tag", tag, {})
    place = document["location"]
    location = etree.SubElement(
        environment, "location", {name: place[name] for name in ("domain", "exposure", "disposition")}
    )
    for name in ("lat", "lon"):
        leaf(location, name, place[name], {})
    for stream in document["datastreams"]:
        data = etree.SubElement(environment, "data", {"id": stream["id"]})
        for tag in stream["tags"]:
            leaf(data, "tag", tag, {})
        leaf(data, "current_value", stream["current_value"], {"at": stream["at"]})
        leaf(data, "max_value", stream["max_value"], {})
        leaf(data, "min_value", stream["min_value"], {})
        unit = stream["unit"]
        leaf(data, "unit", unit["label"], {"type": unit["type"], "symbol": unit["symbol"]})
    return etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")


def fastest(*calls: Callable[[], object]) -> list[float]:
    """Return the best time of one call of each, in microseconds, measured in turn."""
    best = [float("inf")] * len(calls)
    for _ in range(ROUNDS):
        for index, call in enumerate(calls):
            begin = time.perf_counter()
            for _ in range(REPEATS):
                call()
            best[index] = min(best[index], (time.perf_counter() - begin) / REPEATS * 1e6)
    return best


def main() -> None:
    """Measure and print."""
    document = feed()
    body = eeml.encode_feed(document)
    small = b'<eeml><environment><data id="a"><current_value>1</current_value></data></environment></eeml>'
    bare, decoded, guarded = fastest(lambda: walk(body), lambda: eeml.decode_feed(body), lambda: parse(body))
    bare_small, decoded_small = fastest(lambda: walk(small), lambda: eeml.decode_feed(small))
    tree, written = fastest(lambda: built(document), lambda: eeml.encode_feed(document))
    print(f"feed of {STREAMS} datastreams, {len(body)} bytes")
    print(f"  decode {decoded:6.0f} us ({guarded:.0f} of it parsing)")
    print(f"  bare parse and walk {bare:6.0f} us; ratio {decoded / bare:.2f}, target at most 2")
    print(f"  encode {written:6.0f} us")
    print(f"  tree built by lxml  {tree:6.0f} us; ratio {written / tree:.2f}")
    print(f"update of one value, {len(small)} bytes")
    print(f"  decode {decoded_small:6.1f} us")
    print(f"  bare parse and walk {bare_small:6.1f} us; ratio {decoded_small / bare_small:.2f}")


if __name__ == "__main__":
    main()
