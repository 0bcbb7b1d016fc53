"""
Everything that makes sense of a text: the codecs of all formats, times, parameters, paths.

What must hold for each: nothing but its documented error is raised, and what was read can be
written again.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from fuzz.mutation import Target

from txpachube import times
from txpachube.api import params, routes, timezones
from txpachube.api.messages import Request
from txpachube.api.negotiation import body_format, error_format, response_format
from txpachube.api.problems import Problem
from txpachube.codecs import (
    csv_v1,
    csv_v2,
    eeml,
    eeml_5,
    json_v06,
    json_v1,
    products,
    records_json,
    records_xml,
    tags,
    values,
)
from txpachube.errors import DecodeError
from txpachube.server import history

__all__ = ["TARGETS"]

FEED_JSON = (
    (
        b'{"id":504,"title":"Hut","private":"false","tags":["a","b,c"],"version":"1.0.0","status":"live",'
        b'"location":{"name":"x","lat":52.5,"lon":-1e1,"ele":"3","exposure":"indoor","domain":"physical",'
        b'"disposition":"mobile","waypoints":[{"at":"2013-05-05T12:00:00Z","lat":1,"lon":2}]},"datastreams":'
        b'[{"id":"0","current_value":1.50,"at":"2013-06-01T10:00:00.5+01:00","max_value":"5","min_value":-5,'
        b'"tags":"a, b","unit":{"type":"basicSI","label":"Celsius","symbol":"C"},"datapoints":'
        b'[{"at":"2013-06-01T09:00:00Z","value":"open"},{"at":"2013-06-01","value":0}]},{"id":"\xc3\xa9"}]}'
    ),
    b'{"datastreams":[{"id":"temp","current_value":"21"}]}',
    b'{"id":7,"current_value":true}',
    b'{"totalResults":1,"startIndex":0,"itemsPerPage":50,"results":[{"id":1,"title":"a"}]}',
    b'{"datapoints":[{"at":"2013-06-01T09:00:00Z","value":"1"}]}',
    b'[{"at":"2013-06-01T09:00:00Z","value":"1"}]',
    b'{"value":"3"}',
    b'{"version":"0.6-alpha","datastreams":[{"id":"0","values":[{"value":"1","recorded_at":"2011-02-22"}]}]}',
)
FEED_XML = (
    (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<eeml xmlns="http://www.eeml.org/xsd/0.5.1" version="0.5.1'
        b'"><environment updated="2013-06-01T10:00:00Z" id="504" creator="x"><title>Hut</title><tag>a</tag>'
        b"<private>false</private><location domain=\"physical\" exposure='indoor'><name>x</name><lat>52.5"
        b'</lat><lon>1</lon><waypoints><waypoint at="2013-05-05T12:00:00Z"><lat>1</lat><lon>2</lon>'
        b'</waypoint></waypoints></location><data id="0"><tag>a</tag><current_value at="2013-06-01">1.5'
        b'</current_value><max_value>5.0</max_value><unit type="basicSI" symbol="C">Celsius</unit>'
        b'<datapoints><value at="2013-06-01T09:00:00Z">open</value></datapoints></data></environment></eeml>'
    ),
    b"<eeml><environment><data id='0'><value>3</value></data></environment></eeml>",
    (
        b'<eeml xmlns="http://www.eeml.org/xsd/005" version="5"><environment><data id="0"><tag>a</tag>'
        b'<value minValue="1" maxValue="9">5</value><unit>C</unit></data></environment></eeml>'
    ),
)
FEED_CSV = (
    b"0,21.5\n",
    b"temp,2013-06-01T10:00:00Z,21.5\r\ndoor,open\n",
    b'504,"a,""b",2013-06-01,3\n',
    b"1,,2,\t3\r",
    b"2013-06-01T09:00:00Z,5\n2013-06-01T09:05:00Z,6\n",
)
RECORDS_JSON = (
    (
        b'{"key":{"api_key":"k","label":"x","private_access":true,"expires_at":"2013-06-01T10:00:00Z",'
        b'"permissions":[{"access_methods":["get","put"],"source_ip":"10.0.0.0/8","referer":"a.example",'
        b'"minimum_interval":60,"resources":[{"feed_id":504,"datastream_id":"0"}]}]}}'
    ),
    b'{"keys":[{"key":{"label":"x"}}]}',
    (
        b'{"trigger":{"environment_id":1,"stream_id":"0","trigger_type":"gt","threshold_value":"15.0",'
        b'"url":"http://a.example/","notified_at":""}}'
    ),
    b'[{"trigger":{"environment_id":"1","stream_id":0,"trigger_type":"change","url":"http://a.example"}}]',
    b'[{"user":{"login":"rosa","email":"r@example.org","roles":["default"],"deliver_email":false}}]',
    (
        b'{"product":{"name":"box","description":"","state":"develop","feed_defaults":{"title":"x",'
        b'"private":"true","datastreams":[{"id":"wind"}]}}}'
    ),
    b'{"devices":[{"serial":"abc123"},{"serial":"321-cba"}]}',
)
KEY_XML = (
    b"<key><label>x</label><private-access>true</private-access><permissions><permission>"
    b"<access-methods><access-method>get</access-method></access-methods><resources><resource>"
    b"<feed-id>504</feed-id></resource></resources></permission></permissions></key>"
)
TRIGGER_XML = (
    b"<datastream-trigger><threshold-value>15.0</threshold-value><trigger-type>gt</trigger-type>"
    b"<environment-id type='integer'>1</environment-id><stream-id>0</stream-id><url>http://a.example/</url>"
    b"</datastream-trigger>"
)
USER_XML = b"<user><login>rosa</login><email>r@example.org</email><roles><role>a</role></roles></user>"
RECORDS_XML = (
    *(KEY_XML, TRIGGER_XML, USER_XML),
    b"<keys>" + KEY_XML * 2 + b"</keys>",
    b'<datastream-triggers type="array">' + TRIGGER_XML + b"</datastream-triggers>",
    b'<users type="array">' + USER_XML + b"</users>",
)
TIMES = (
    b"2013-06-01T10:00:00.123456+01:00",
    b"2013-06-01 10:00",
    b"20130601T100000Z",
    b"1370080800",
    b"2013-W22-6",
    b"12:30",
)
QUERIES = (
    b"start=2013-06-01T10:00:00Z&end=2013-06-02&interval=300&limit=10&find_previous=true",
    b"duration=6hours&interval=0&interval_type=discrete&function=average&page=2&per_page=5",
    b"duration=1week&timezone=London&time=2013-06-01",
    b"page=0&per_page=-1&limit=x&duration=99999999999years&datastreams=0,1,,2&callback=f.g",
)
PATHS = (
    b"GET /v2/feeds/504.json",
    b"PUT /v2/feeds/504/datastreams/temp%2Fx.csv/datapoints/2013-06-01T10:00:00.5Z.xml",
    b"DELETE /api/504/datastreams/0/history.png",
    b"POST /v2//keys/KEY/regenerate/",
    b"GET /feeds/504.csv",
)


def _codec(
    decode: Callable[[bytes], Any], encode: Callable[[Any], bytes] | None = None
) -> Callable[[bytes, random.Random], bool]:
    def check(data: bytes, chance: random.Random) -> bool:
        try:
            found = decode(data)
        except DecodeError as problem:
            if not problem.reason or len(str(problem)) > 1000:
                raise AssertionError("the error says nothing, or repeats what was sent") from problem
            return False
        if encode is not None:
            encode(found)
        return True

    return check


def _refused(problem: Problem) -> bool:
    assert 400 <= problem.status < 500
    return False


def _read_time(data: bytes, chance: random.Random) -> bool:
    text = data.decode(errors="replace")
    try:
        moment = times.parse(text)
    except ValueError:
        return False
    assert times.parse(times.format_micros(moment)) == moment
    return True


def _read_query(data: bytes, chance: random.Random) -> bool:
    request = Request("GET", "/v2/feeds/1", data.decode(errors="replace"), {}, b"", "192.0.2.1")
    try:
        query = params.query_of(request)
        timezones.find(query.get("timezone"))
        params.page(query, 50)
        params.wanted_streams(query)
        params.callback(query)
        wanted = history.resolve(query, times.parse("2013-06-01T12:00:00Z"), always=True)
    except Problem as problem:
        return _refused(problem)
    if wanted is not None and wanted.interval and not wanted.limit > 1000:
        history.grid_lines(wanted)
    return True


def _read_path(data: bytes, chance: random.Random) -> bool:
    method, _, path = data.decode("latin-1").partition(" ")
    try:
        match = routes.match(method, path)
        request = Request(method, path, "", {"accept": path, "content-type": path}, data, "192.0.2.1")
        error_format(request, match)
        if match.route is not None:
            response_format(request, match)
            body_format(request, match)
    except Problem as problem:
        return _refused(problem)
    return match.route is not None


def _read_tags(data: bytes, chance: random.Random) -> bool:
    found = tags.normalise(tags.split(data.decode(errors="replace")))
    tags.join(found)
    return bool(found)


def _read_value(data: bytes, chance: random.Random) -> bool:
    number = values.numeric(data.decode(errors="replace"))
    if number is not None:
        assert values.numeric(values.format_limit(number)) == number
    return number is not None


def _feeds(module: Any, name: str, seeds: tuple[bytes, ...]) -> list[Target]:
    """Return a target for each kind of document of one format."""
    return [
        Target(f"{name}/{kind}", _codec(decode, getattr(module, f"encode_{kind}", None)), seeds, 1)
        for kind in ("feed", "feed_list", "datastream", "new_datastreams", "datapoints", "datapoint")
        if (decode := getattr(module, f"decode_{kind}", None)) is not None
    ]


def _records(module: Any, name: str, kinds: tuple[str, ...], seeds: tuple[bytes, ...]) -> list[Target]:
    return [Target(f"{name}/{kind}", _codec(getattr(module, f"decode_{kind}")), seeds, 1) for kind in kinds]


TARGETS = [
    *_feeds(json_v1, "json", FEED_JSON),
    *_feeds(json_v06, "json-0.6", FEED_JSON),
    *_feeds(eeml, "eeml", FEED_XML),
    *_feeds(csv_v2, "csv", FEED_CSV),
    *_feeds(csv_v1, "csv-1", FEED_CSV),
    *_records(records_json, "json", ("key", "keys", "trigger", "triggers", "user", "users"), RECORDS_JSON),
    *_records(products, "json", ("product", "device", "devices"), RECORDS_JSON),
    *_records(records_xml, "xml", ("key", "keys", "trigger", "triggers", "user", "users"), RECORDS_XML),
    Target("eeml/written-as-5", _codec(eeml.decode_feed, eeml_5.encode_feed), FEED_XML, 1),
    Target("times", _read_time, TIMES, 1),
    Target("queries", _read_query, QUERIES, 2),
    Target("paths", _read_path, PATHS, 1),
    Target("tags", _read_tags, (b"a, b", b'"x,y",z', b"caf\xc3\xa9"), 3),
    Target("values", _read_value, (b"1.5", b"-0.0e+10", b" 7 "), 1),
]
