"""What HTTP adds to an operation's answer, and what errors look like."""

from __future__ import annotations

import gzip
import hashlib
import json
from email.utils import formatdate

import pytest
from lxml import etree

from txpachube.api import problems
from txpachube.api.messages import Request, Response
from txpachube.server import answers
from txpachube.times import SECOND

MIDNIGHT = 1_370_044_800 * SECOND


def _finished(
    body: bytes = b'{"id":1}', query: str = "", *, reading: bool = True, by_date: bool = False, **headers: str
) -> Response:
    request = Request(
        "GET", "/v2/feeds/1", query, {name.replace("_", "-"): text for name, text in headers.items()}
    )
    response = Response(200, body, last_modified=MIDNIGHT + 500_000)
    return answers.finish(request, response, reading=reading, by_date=by_date)


def test_an_error_in_json_has_title_and_errors() -> None:
    """``errors`` is a text for one fault, and compact JSON as everywhere."""
    answer = answers.of_problem(problems.not_found(), "json")
    assert answer.status == 404
    assert answer.body == (
        b'{"title":"Not found","errors":"I\'m sorry we are unable to find the resource you are looking for."}'
    )
    assert answer.content_type == "application/json; charset=utf-8"


def test_validation_errors_in_json_are_a_list() -> None:
    """A 422 tells its faults as an array, even when there is one."""
    answer = answers.of_problem(problems.unprocessable("Title can't be blank"), "json")
    assert json.loads(answer.body) == {"title": "Unprocessable Entity", "errors": ["Title can't be blank"]}


def test_an_error_in_xml_has_an_element_per_message() -> None:
    """Title first, then one ``error`` for each message; markup and characters XML lacks do no harm."""
    answer = answers.of_problem(problems.unprocessable("a < b & c", "null \0 é 🌡"), "xml")
    assert answer.content_type == "application/xml; charset=utf-8"
    root = etree.fromstring(answer.body)
    assert root.tag == "errors"
    assert [(child.tag, child.text) for child in root] == [
        ("title", "Unprocessable Entity"),
        ("error", "a < b & c"),
        ("error", "null ? é 🌡"),
    ]


def test_an_error_in_csv_is_its_messages_line_by_line() -> None:
    """Formats without structure get plain text."""
    answer = answers.of_problem(problems.unprocessable("one", "two"), "csv")
    assert (answer.body, answer.content_type) == (b"one\ntwo", "text/plain; charset=utf-8")


def test_not_found_in_csv_is_two_words() -> None:
    """The C library of that time was tested against this body."""
    assert answers.of_problem(problems.not_found(), "csv").body == b"Not Found"


def test_a_reading_answer_gets_the_md5_of_its_body_as_entity_tag() -> None:
    """The entity tag is 32 hexadecimal digits in quotes."""
    digest = hashlib.md5(b'{"id":1}').hexdigest()
    assert _finished().etag == f'"{digest}"'
    assert _finished(reading=False).etag is None


@pytest.mark.parametrize("tags", ["{}", "W/{}", '"other", {}', "*", ' "x",W/{} '])
def test_a_client_that_has_this_version_gets_304_without_a_body(tags: str) -> None:
    """``If-None-Match`` may hold several tags, weak ones, or a star."""
    etag = _finished().etag
    assert etag is not None
    answer = _finished(if_none_match=tags.format(etag))
    assert (answer.status, answer.body, answer.etag) == (304, b"", etag)


@pytest.mark.parametrize("tags", ['"other"', "", "garbage", '"'])
def test_a_client_that_has_another_version_gets_the_document(tags: str) -> None:
    """Other tags, and what isn't one, give the whole answer."""
    assert _finished(if_none_match=tags).status == 200


def test_a_date_of_this_second_or_later_gives_304() -> None:
    """``If-Modified-Since`` is compared in whole seconds."""
    for offset, status in ((0, 304), (5, 304), (-1, 200)):
        date = formatdate(MIDNIGHT // SECOND + offset, usegmt=True)
        assert _finished(if_modified_since=date, by_date=True).status == status


def test_a_date_is_ignored_when_it_can_not_tell_versions_apart() -> None:
    """Without ``by_date`` a date never gives 304; nor does a date beside an entity tag."""
    date = formatdate(MIDNIGHT // SECOND, usegmt=True)
    assert _finished(if_modified_since=date).status == 200
    assert _finished(if_modified_since=date, if_none_match='"other"', by_date=True).status == 200


@pytest.mark.parametrize(
    "date", ["yesterday", "", "Sat, 99 Jun 2013 10:00:00 GMT", "Sat, 01 Jun 2013 10:00:00 -0000"]
)
def test_a_date_that_is_none_is_ignored(date: str) -> None:
    """Rubbish in ``If-Modified-Since`` gives the whole answer."""
    assert _finished(if_modified_since=date, by_date=True).status == 200


def test_only_successful_answers_become_304() -> None:
    """An error stays an error whatever the client has."""
    response = answers.of_problem(problems.not_found(), "json")
    request = Request("GET", "/", headers={"if-none-match": "*"})
    assert answers.finish(request, response, reading=True).status == 404


def test_a_callback_wraps_json() -> None:
    """The body becomes a call of the function named, and is called JavaScript."""
    answer = _finished(query="callback=jQuery17_42&_=1")
    assert answer.body == b'jQuery17_42({"id":1})'
    assert answer.content_type == "application/javascript; charset=utf-8"
    assert answer.etag == answers.entity_tag(answer.body)


def test_a_callback_keeps_only_letters_digits_and_underscores() -> None:
    """What could be a program is taken out of the name; if nothing is left, nothing is wrapped."""
    assert _finished(query="callback=a.b(alert)%3B").body == b'abalert({"id":1})'
    assert _finished(query="callback=%28%29").body == b'{"id":1}'
    assert _finished(query="callback=").body == b'{"id":1}'


def test_a_callback_makes_line_separators_safe() -> None:
    """The two characters that end a line in JavaScript but not in JSON are escaped."""
    assert _finished('"\u2028\u2029"'.encode(), "callback=f").body == rb'f("\u2028\u2029")'


def test_errors_are_wrapped_too_and_keep_their_status() -> None:
    """A page that asked with a callback is told of errors by the callback."""
    request = Request("GET", "/v2/feeds/9", "callback=f")
    answer = answers.finish(request, answers.of_problem(problems.not_found(), "json"), reading=True)
    assert answer.status == 404
    assert answer.body.startswith(b'f({"title":"Not found"')


def test_other_formats_and_methods_are_not_wrapped() -> None:
    """A callback means something for GET and JSON only."""
    assert _finished(query="callback=f", reading=False).body == b'{"id":1}'
    request = Request("GET", "/v2/feeds/1.xml", "callback=f")
    xml = Response(200, b"<x/>", "application/xml; charset=utf-8")
    assert answers.finish(request, xml, reading=True).body == b"<x/>"


def test_long_answers_are_packed_for_those_who_accept_it() -> None:
    """The content type and the entity tag are those of what was packed."""
    body = b'{"x":"' + b"y" * 2000 + b'"}'
    answer = _finished(body, accept_encoding="gzip")
    assert gzip.decompress(answer.body) == body
    assert answer.extra == (("Content-Encoding", "gzip"),)
    assert answer.etag == answers.entity_tag(body)
    assert answer.content_type == "application/json; charset=utf-8"


def test_short_answers_and_pictures_stay_unpacked() -> None:
    """Packing them would win nothing."""
    assert _finished(accept_encoding="gzip").body == b'{"id":1}'
    picture = Response(200, b"x" * 5000, "image/png")
    request = Request("GET", "/", headers={"accept-encoding": "gzip"})
    assert answers.finish(request, picture, reading=True).body == b"x" * 5000


def test_pages_of_other_origins_may_read_answers_and_errors() -> None:
    """A request with an origin gets the headers that allow it; one without gets none."""
    wanted = (
        ("Access-Control-Allow-Origin", "*"),
        ("Access-Control-Expose-Headers", "Location, X-Request-Id"),
    )
    assert _finished(origin="http://page.example").extra == wanted
    assert _finished().extra == ()
    request = Request("PUT", "/", headers={"origin": "null"})
    error = answers.finish(request, answers.of_problem(problems.unauthorized(), "json"), reading=False)
    assert error.extra == wanted


def test_a_preflight_is_answered_with_what_is_allowed() -> None:
    """The browser learns methods and headers, and for how long it may remember them."""
    answer = answers.preflight(Request("OPTIONS", "/anything", headers={"origin": "http://page.example"}))
    assert (answer.status, answer.body) == (200, b"")
    headers = dict(answer.extra)
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE, OPTIONS"
    assert headers["Access-Control-Allow-Headers"] == (
        "X-ApiKey, X-PachubeApiKey, Content-Type, Accept, X-Requested-With"
    )
    assert headers["Access-Control-Max-Age"] == "86400"
