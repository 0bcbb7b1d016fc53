"""No key is ever shown: not in a repr, an error, a traceback or a log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.python.failure import Failure

from txpachube import Key, User, errors
from txpachube.client import Client, _calls
from txpachube.testing.scripted import ScriptedServer, answer, cut

KEY = "S3cret_Key-aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789"
OTHER = "S3cret_Other+key"
ECHO = f'{{"title":"No {KEY}","errors":["No route matches [GET] \\"/api/v2/keys/{KEY}\\" {KEY}"]}}'.encode()

CALLS: list[Callable[[Client], Deferred[Any]]] = [
    lambda client: client.read_feed(),
    lambda client: client.update_feed(data=Key(api_key=OTHER)),
    lambda client: client.read_api_key(key_id=OTHER),
    lambda client: client.regenerate_api_key(api_key=OTHER, key_id=KEY),
    lambda client: client.delete_api_key(api_key=OTHER, key_id=KEY),
    lambda client: client.create_user(api_key=OTHER, data=User(login="rosa", password=KEY)),
    lambda client: client.update_api_key(api_key=OTHER, key_id="x", data=Key(api_key=KEY)),
    lambda client: client.list_feeds(parameters={"key": KEY}),
    lambda client: client.read_feed(api_key=KEY + "\nX: y"),
    lambda client: client.update_feed(data=[KEY]),  # type: ignore[arg-type] # wrong on purpose
    lambda client: client.create_datapoints(datastream_id="temp", data=[KEY]),  # type: ignore[list-item] # likewise
]

ANSWERS = [
    answer(401, ECHO),
    answer(404, ECHO),
    answer(503, ECHO),
    answer(500, f"<errors><title>{KEY}</title><error>{KEY}</error></errors>".encode()),
    answer(200, KEY.encode()),
    answer(200, b'{"api_key": 5, "' + KEY.encode() + b'": }'),
    f"HTTP/1.1 2{KEY}\r\n".encode(),
    cut(b"HTTP/1.1 200 OK\r\nX: " + KEY.encode()),
]


@pytest.mark.parametrize("reply", ANSWERS)
@pytest.mark.parametrize("call", CALLS)
async def test_failures_do_not_show_keys(
    server: ScriptedServer,
    client: Client,
    caplog: pytest.LogCaptureFixture,
    call: Callable[[Client], Deferred[Any]],
    reply: Any,
) -> None:
    """Whatever goes wrong, and whatever the service says, neither the error nor the log shows a key."""
    events: list[LogEvent] = []
    observer = cast("ILogObserver", events.append)
    globalLogPublisher.addObserver(observer)
    caplog.set_level(logging.DEBUG)
    client._api_key = KEY
    server.always = reply
    try:
        await call(client)
    except errors.Error as error:
        shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
        failure = Failure(error)
        shown += [str(failure), failure.getTraceback(), failure.getErrorMessage()]
        cause = error.__cause__
        while cause is not None:
            shown += [str(cause), repr(cause)]
            cause = cause.__cause__
    else:
        shown = []
    finally:
        globalLogPublisher.removeObserver(observer)
    shown += [eventAsText(event) for event in events] + [repr(event) for event in events] + [caplog.text]
    for text in shown:
        assert "S3cret" not in text.replace("%2B", "+")
    for request in server.requests:
        assert KEY not in request.target or "/keys/" in request.target


async def test_no_object_shows_a_key(server: ScriptedServer) -> None:
    """The client and all it is made of can be printed."""
    client = Client(KEY, 504, base_url=server.url, environ={"PACHUBE_API_KEY": OTHER})
    server.play(answer(200, b"{}"))
    await client.read_feed()
    prepared = _calls.build(_calls.READ_API_KEY, api_key=KEY, format="json", key=OTHER)
    seen: list[object] = [client, prepared, client._carrier, prepared.request]
    seen += [part for whole in list(seen) for part in getattr(whole, "__dict__", {}).values() if part != KEY]
    texts = [repr(part) + str(part) for part in seen]
    for text in texts:
        assert "S3cret" not in text
    assert repr(client) == f"<Client {server.url} feed 504>"
    await client.close()
