"""What is remembered to be quick does not grow with what strangers send."""

from __future__ import annotations

import gc
import tracemalloc

from txpachube.testing.inprocess import InProcess
from txpachube.wire.mqtt_topics import read_topic
from txpachube.wire.paws import MessageReader

STRANGERS = 300
LONG = "x" * 7000
HEADERS = (
    *(
        "host",
        "accept",
        "accept-encoding",
        "accept-language",
        "origin",
        "referer",
        "user-agent",
        "x-forwarded-for",
    ),
    *("if-modified-since", "if-none-match", "content-type", "content-encoding", "x-http-method-override"),
)


async def test_long_texts_are_not_kept(garden: InProcess) -> None:
    """Each request has other texts, all of them long, wherever a client may put one."""

    async def strange(number: int) -> None:
        text = f"{number}{LONG}"
        headers = dict.fromkeys(HEADERS, text)
        for path in (f"/v2/feeds/{text}.json", "/v2/feeds/1.json", f"/v2/feeds/1/datastreams/{text}"):
            query = "&".join(f"{name}={text}" for name in ("timezone", "callback", "duration", "start"))
            await garden.ask(f"GET {path}?{query}", headers=headers, key=text)
        read_topic(f"/v2/feeds/{text}.csv")
        list(MessageReader().receive(f'{{"method":"get","resource":"/feeds/{text}"}}'.encode()))

    for number in range(10):
        await strange(-number)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(STRANGERS):
            await strange(number)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < STRANGERS * len(LONG) / 2, "one of the texts is kept for each stranger"
