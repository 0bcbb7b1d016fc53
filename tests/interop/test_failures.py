"""Every way in which a call can fail, with the real service: the type of the error and what it says."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from pytest_twisted import blockon

import txpachube
from txpachube import (
    BadRequest,
    ConnectionFailed,
    DataFormats,
    Datastream,
    Environment,
    Forbidden,
    Key,
    NotAcceptable,
    NotFound,
    PayloadTooLarge,
    RequestTimeout,
    ResponseError,
    Unauthorized,
    Unprocessable,
)
from txpachube.client import NO_RETRIES, Client
from txpachube.testing.service import ServiceProcess

Connect = Callable[..., Client]
NOT_FOUND = "I'm sorry we are unable to find the resource you are looking for."
FORBIDDEN = "You do not have permission to access that resource"
UNAUTHORIZED = "You must be authenticated to access this resource"
FORMATS = [DataFormats.JSON, DataFormats.XML]
ALL_FORMATS = [*FORMATS, DataFormats.CSV]


@pytest.fixture
def feed_id(client: Client) -> str:
    """Return a feed with the datastream ``t``."""
    streams = [{"id": "t", "current_value": "1"}]
    return str(blockon(client.create_feed(data=Environment(title="f", datastreams=streams))))


def _says(problem: ResponseError, format_: str, status: int, title: str, *errors: str) -> None:
    """Check what an error carries; CSV is plain text, whose title is the status' own phrase."""
    assert problem.status == status
    if format_ != DataFormats.CSV:
        assert (problem.title, problem.errors) == (title, list(errors))
    elif status == 404:
        assert (problem.title.lower(), problem.errors) == ("not found", ["Not Found"])
    else:
        assert problem.errors == list(errors)
        assert problem.title


@pytest.mark.parametrize("format_", ALL_FORMATS)
@pytest.mark.parametrize("key", ["", "unknown-key"])
async def test_no_key_or_an_unknown_one(connect: Connect, feed_id: str, format_: str, key: str) -> None:
    """401 is Unauthorized."""
    with pytest.raises(Unauthorized) as caught:
        await connect(key).read_feed(feed_id=feed_id, format=format_)
    _says(caught.value, format_, 401, "Unauthorized", UNAUTHORIZED)
    assert caught.value.request.endswith(f"/v2/feeds/{feed_id}.{format_}")


async def test_a_key_that_has_expired(client: Client, connect: Connect, feed_id: str) -> None:
    """An expired key is as good as none."""
    key = Key(label="k", expires_at="2013-01-01T00:00:00Z", permissions=[{"access_methods": ["get"]}])
    text = await client.create_api_key(data=key)
    with pytest.raises(Unauthorized):
        await connect(text, feed_id).read_feed()


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_a_key_that_may_not(client: Client, connect: Connect, feed_id: str, format_: str) -> None:
    """403 is Forbidden."""
    text = await client.create_api_key(data=Key(label="k", permissions=[{"access_methods": ["put"]}]))
    with pytest.raises(Forbidden) as caught:
        await connect(text).read_feed(feed_id=feed_id, format=format_)
    _says(caught.value, format_, 403, "Forbidden", FORBIDDEN)


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_what_is_not_there(client: Client, feed_id: str, format_: str) -> None:
    """404 is NotFound."""
    for call in (
        client.read_feed(feed_id=999_999_999, format=format_),
        client.read_datastream(feed_id=feed_id, datastream_id="none", format=format_),
        client.update_feed(feed_id=999_999_999, format=format_, data="t,1"),
    ):
        with pytest.raises(NotFound) as caught:
            await call
        _says(caught.value, format_, 404, "Not found", NOT_FOUND)


async def test_a_format_that_a_resource_has_not(client: Client, feed_id: str) -> None:
    """406 is NotAcceptable."""
    for call in (
        client.create_feed(format=DataFormats.CSV, data="t,1"),
        client.list_api_keys(format=DataFormats.CSV),
        client.create_api_key(format=DataFormats.CSV, data="x"),
        client.read_feed(feed_id=feed_id, format="png"),
    ):
        with pytest.raises(NotAcceptable) as caught:
            await call
        assert (caught.value.status, caught.value.title) == (406, "Not Acceptable")
        assert len(caught.value.errors) == 1
        assert "available as json or xml" in caught.value.errors[0]


@pytest.mark.parametrize("format_", FORMATS)
async def test_what_is_not_valid(client: Client, feed_id: str, format_: str) -> None:
    """422 is Unprocessable, with a message for each fault."""
    with pytest.raises(Unprocessable) as caught:
        await client.create_feed(format=format_, data=Environment(description="no title"))
    _says(caught.value, format_, 422, "Unprocessable Entity", "Title can't be blank")
    change = Environment(title="", datastreams=[{"id": "no blanks", "current_value": "1"}])
    with pytest.raises(Unprocessable) as caught:
        await client.update_feed(feed_id=feed_id, format=format_, data=change)
    _says(caught.value, format_, 422, "Unprocessable Entity", "Title can't be blank", "Stream ID is invalid")
    with pytest.raises(Unprocessable) as caught:
        await client.create_api_key(format=format_, data=Key(label=""))
    _says(
        caught.value,
        format_,
        422,
        "Unprocessable Entity",
        "Label can't be blank",
        "Permissions can't be blank",
    )


@pytest.mark.parametrize("format_", ALL_FORMATS)
async def test_a_value_that_is_too_long(client: Client, feed_id: str, format_: str) -> None:
    """255 characters are a value, 256 are none; in every format, and whatever characters they are."""
    await client.update_datastream(
        feed_id=feed_id, datastream_id="t", format=format_, data=Datastream(current_value="ž" * 255)
    )
    with pytest.raises(Unprocessable) as caught:
        await client.update_datastream(
            feed_id=feed_id, datastream_id="t", format=format_, data=Datastream(current_value="ž" * 256)
        )
    message = "Current value is too long (maximum is 255 characters)"
    _says(caught.value, format_, 422, "Unprocessable Entity", message)


@pytest.mark.parametrize(
    ("format_", "body", "title"),
    [
        ("json", '{"datastreams":[', "JSON Parser Error"),
        ("xml", "<eeml><environment>", "XML Parser Error"),
        ("csv", "one,two,three,four", "CSV Parser Error"),
    ],
)
async def test_a_body_that_cannot_be_read(
    client: Client, feed_id: str, format_: str, body: str, title: str
) -> None:
    """400 is BadRequest, and says what the parser said."""
    with pytest.raises(BadRequest) as caught:
        await client.update_feed(feed_id=feed_id, format=format_, data=body)
    assert caught.value.status == 400
    if format_ == "csv":
        assert caught.value.errors == ["CSV is invalid. Incorrect number of fields"]
    else:
        assert caught.value.title == title
        assert len(caught.value.errors) == 1


@pytest.mark.parametrize("format_", ALL_FORMATS)
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"start": "2013-01-01T00:00:00Z", "end": "2013-03-01T00:00:00Z", "interval": 0},
            "The requested range is too long for the interval",
        ),
        ({"start": "nonsense"}, None),
        ({"start": "2013-01-01T00:00:00Z", "end": "2013-01-02T00:00:00Z", "duration": "1day"}, None),
        ({"duration": "1fortnight"}, None),
        ({"start": "2013-01-02T00:00:00Z", "end": "2013-01-01T00:00:00Z"}, None),
    ],
)
async def test_parameters_that_make_no_sense(
    client: Client, feed_id: str, format_: str, parameters: dict[str, object], message: str | None
) -> None:
    """400 is BadRequest for parameters, too."""
    with pytest.raises(BadRequest) as caught:
        await client.read_datastream(
            feed_id=feed_id, datastream_id="t", format=format_, parameters=parameters
        )
    _says(caught.value, format_, 400, "Bad Request", message or caught.value.errors[0])


async def test_deleting_a_range_without_saying_which(client: Client, feed_id: str) -> None:
    """Nobody empties a datastream by forgetting the parameters."""
    with pytest.raises(BadRequest):
        await client.delete_datapoints(feed_id=feed_id, datastream_id="t")
    assert (await client.read_datastream(feed_id=feed_id, datastream_id="t")).current_value == "1"


async def test_a_body_that_is_too_large(client: Client, feed_id: str) -> None:
    """413 is PayloadTooLarge, although the client was still sending; the client goes on working."""
    with pytest.raises(PayloadTooLarge) as caught:
        await client.update_feed(feed_id=feed_id, data=Environment(description="x" * 5_000_000))
    assert (caught.value.status, caught.value.title) == (413, "Payload Too Large")
    assert (await client.read_feed(feed_id=feed_id)).title == "f"


async def test_errors_are_one_tree(connect: Connect) -> None:
    """A program catches all of them by their base."""
    with pytest.raises(txpachube.Error):
        await connect("").read_feed(feed_id=1)


async def test_errors_show_no_key(connect: Connect, client: Client) -> None:
    """Neither the key of a call nor the one it is about appears in an error."""
    secret = "s3cret-s3cret-s3cret-s3cret"
    with pytest.raises(Unauthorized) as unknown:
        await connect(secret).read_api_key(key_id=secret)
    with pytest.raises(NotFound) as absent:
        await client.read_api_key(key_id=secret)
    for problem in (unknown.value, absent.value):
        assert secret not in f"{problem} {problem!r} {problem.args} {problem.request}"


async def test_a_service_that_is_not_there(service: ServiceProcess, connect: Connect) -> None:
    """Where nobody listens is ConnectionFailed."""
    client = connect(base_url="http://127.0.0.1:1")
    with pytest.raises(ConnectionFailed) as caught:
        await client.read_feed(feed_id=1)
    assert caught.value.request == "GET http://127.0.0.1:1/v2/feeds/1.json"


async def test_a_service_that_hangs(service: ServiceProcess, connect: Connect, feed_id: str) -> None:
    """No answer in time is RequestTimeout; when the service goes on, so does the client."""
    client = connect(feed_id=feed_id, timeout=1)
    await client.read_feed()
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(RequestTimeout):
            await client.read_feed()
    finally:
        os.kill(service.process.pid, signal.SIGCONT)
    patient = connect(feed_id=feed_id)
    assert (await patient.read_feed()).title == "f"


async def test_a_service_that_ends_and_comes_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Calls fail while the service is away, and work with the same client when it is back."""
    data = tmp_path_factory.mktemp("restarted")
    with ServiceProcess(data) as service:
        client = Client(service.api_key, base_url=service.url, retry=NO_RETRIES, environ={})
        feed_id = await client.create_feed(data=Environment(title="kept"))
        port = service.port
        assert service.stop() == 0
        with pytest.raises(ConnectionFailed):
            await client.read_feed(feed_id=feed_id)
    with ServiceProcess(data, doors={"http": f"tcp:{port}:interface=127.0.0.1"}):
        assert (await client.read_feed(feed_id=feed_id)).title == "kept"
        await client.close()
