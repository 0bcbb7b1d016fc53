"""The MQTT door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txpachube.testing.doors.base import Direct
from txpachube.testing.doors.lines import Line
from txpachube.testing.exchanges import Answer, Given, Question
from txpachube.testing.inprocess import InProcess
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_packets import (
    PUBACK,
    Acknowledgement,
    Connack,
    Connect,
    Packet,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Violation,
)
from txpachube.wire.mqtt_topics import has_wildcard, read_topic

__all__ = ["Mqtt"]


class Mqtt:
    """
    The MQTT door. Nothing is answered there, so an exchange is one by what it leaves behind.

    Args:
        service: is asked directly what can't be asked here.
    """

    def __init__(self, line: Line, service: InProcess, closing: Callable[[], Any]) -> None:
        self._line = line
        self._direct = Direct(service)
        self._closing = closing
        self._reader = PacketReader()
        self._packets: list[Packet | Violation] = []
        self._count = 0

    @staticmethod
    def carries(question: Question, answer: Answer) -> bool:
        """Carry writes with a body that the topic says everything about, and reads that succeed."""
        topic = read_topic(question.target)
        if (
            question.raw is not None
            or topic is None
            or topic.key is not None
            or has_wildcard(question.target)
            or len(question.headers) > 1
            or any(name.lower() not in ("x-apikey", "x-pachubeapikey") for name, _ in question.headers)
        ):
            return False
        if question.method == "GET":
            return answer.status == 200 and not answer.body.startswith(("{png ", "{svg "))
        return bool(question.body) and topic.writes == question.method

    async def ask(self, question: Question | None, expected: Answer) -> Given:
        """Publish a write, subscribe to what is read, or ask directly."""
        assert question is not None
        if not self.carries(question, expected):
            return await self._direct.ask(question, expected)
        key = next((value.strip() for _, value in question.headers), None)
        topic = question.target if key is None else f"{key}{question.target}"
        self._count += 1
        if question.method != "GET":
            self._line.write(encode(Publish(topic, question.body, qos=1, packet_id=self._count)))
            assert await self._next() == Acknowledgement(PUBACK, self._count)
            return Given(expected.status, None, expected.body.encode())
        self._line.write(encode(Subscribe(self._count, ((topic, 0),))))
        assert await self._next() == Suback(self._count, (0,))
        first = await self._next()
        assert isinstance(first, Publish), first
        assert (first.topic, first.retain) == (topic, False)
        self._line.write(encode(Unsubscribe(self._count, (topic,))))
        assert await self._next() == Unsuback(self._count)
        return Given(200, None, bytes(first.payload))

    async def start(self) -> None:
        """Say hello."""
        self._line.write(encode(Connect(4, "MQTT", client_id="exchange")))
        assert await self._next() == Connack(0)

    async def _next(self) -> Packet | Violation:
        if not self._packets:
            await self._line.until(self._take)
        return self._packets.pop(0)

    def _take(self, data: bytes) -> bool | None:
        self._packets += self._reader.receive(data)
        return bool(self._packets) or None

    async def close(self) -> None:
        """Close the connection and the door."""
        self._line.drop()
        await self._closing()
