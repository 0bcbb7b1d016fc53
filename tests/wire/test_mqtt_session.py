"""One MQTT connection becomes requests to the API, and is acknowledged as the standard says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.mqtt_decode import PacketReader
from txpachube.wire.mqtt_encode import encode
from txpachube.wire.mqtt_events import (
    ConnectRequest,
    Event,
    Goodbye,
    Ignored,
    SubscribeRequest,
    UnsubscribeRequest,
    WriteRequest,
)
from txpachube.wire.mqtt_packets import (
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Acknowledgement,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Suback,
    Subscribe,
    Unsuback,
    Unsubscribe,
    Violation,
    Will,
)
from txpachube.wire.mqtt_session import (
    BAD_USER_NAME,
    MAX_HELD,
    MAX_SUBSCRIPTIONS,
    MAX_UNRELEASED,
    NOT_AUTHORIZED,
    Session,
)
from txpachube.wire.resources import Target

KEY = "KEY-that-must-never-be-shown"
HELLO = Connect(4, "MQTT", "device", user_name=KEY)


def sent(session: Session) -> list[Packet | Violation]:
    """Return what the session wants to send, as the client reads it."""
    return PacketReader().receive(session.data_to_send())


def opened(hello: Connect = HELLO) -> Session:
    """Return a session that has been accepted."""
    session = Session("192.0.2.7")
    assert session.receive(encode(hello)) == [ConnectRequest(session.key, hello.client_id)]
    assert session.data_to_send() == b""
    assert session.accept() == []
    assert sent(session) == [Connack(0)]
    return session


def only_write(events: list[Event]) -> WriteRequest:
    (write,) = events
    assert isinstance(write, WriteRequest)
    return write


def only_subscription(events: list[Event]) -> SubscribeRequest:
    (subscription,) = events
    assert isinstance(subscription, SubscribeRequest)
    return subscription


class TestConnecting:
    """The first packet decides who the client is."""

    def test_the_user_name_is_the_key(self) -> None:
        """The transport is asked to look it up; the password is ignored."""
        session = Session()
        hello = Connect(3, "MQIsdp", "device", user_name=KEY, password=b"whatever", keep_alive=60)
        (request,) = session.receive(encode(hello))
        assert request == ConnectRequest(KEY, "device")
        assert KEY not in repr(request)
        assert session.keep_alive_timeout == 90
        assert session.identity == (KEY, "device")
        assert not session.closed

    def test_an_unknown_key_is_refused(self) -> None:
        """CONNACK 4, and the connection closes."""
        session = Session()
        session.receive(encode(HELLO))
        session.refuse()
        assert sent(session) == [Connack(BAD_USER_NAME)]
        assert session.closed
        assert session.receive(encode(Pingreq())) == []
        assert session.accept() == []
        assert session.connection_lost() is None

    def test_another_code_can_be_given(self) -> None:
        """For what isn't the user name's fault."""
        session = Session()
        session.receive(encode(HELLO))
        session.refuse(NOT_AUTHORIZED)
        assert sent(session) == [Connack(5)]

    @pytest.mark.parametrize("user_name", [None, "", "  "])
    def test_without_a_user_name_there_is_no_key(self, user_name: str | None) -> None:
        """Each topic must bring its own, and no other connection can be the same client's."""
        session = opened(Connect(4, "MQTT", "device", user_name=user_name))
        assert session.key is None
        assert session.identity is None
        assert session.keep_alive_timeout is None
        write = only_write(session.receive(encode(Publish("OTHER/v2/feeds/504.json", b"{}"))))
        assert write.request.headers == {"x-apikey": "OTHER"}
        write = only_write(session.receive(encode(Publish("/v2/feeds/504.json", b"{}"))))
        assert write.request.headers == {}

    def test_an_empty_client_id_needs_a_clean_session_of_the_newer_version(self) -> None:
        """Elsewhere it is refused with CONNACK 2."""
        opened(Connect(4, "MQTT", "", clean_session=True))
        for hello in (Connect(4, "MQTT", "", clean_session=False), Connect(3, "MQIsdp", "")):
            session = Session()
            (violation,) = session.receive(encode(hello))
            assert isinstance(violation, Violation)
            assert sent(session) == [Connack(2)]
            assert session.closed

    @pytest.mark.parametrize("level", [0, 5])
    def test_another_version_is_refused(self, level: int) -> None:
        """CONNACK 1, and the connection closes."""
        session = Session()
        (violation,) = session.receive(encode(Connect(level, "MQTT", "x")))
        assert isinstance(violation, Violation)
        assert sent(session) == [Connack(1)]
        assert session.closed

    def test_a_session_that_is_not_clean_is_treated_as_one_that_is(self) -> None:
        """Nothing is stored, so there is never a session present."""
        opened(Connect(4, "MQTT", "device", clean_session=False, user_name=KEY))

    def test_nothing_else_can_come_first(self) -> None:
        """The connection is closed without an answer."""
        session = Session()
        assert isinstance(session.receive(encode(Pingreq()))[0], Violation)
        assert session.data_to_send() == b""
        assert session.closed

    def test_what_comes_before_the_verdict_waits_for_it(self) -> None:
        """A client may send on before it knows whether it is accepted."""
        session = Session()
        stream = encode(HELLO) + encode(Pingreq()) + encode(Publish("/v2/feeds/1.csv", b"0,1"))
        assert len(session.receive(stream)) == 1
        assert session.receive(encode(Pingreq())) == []
        assert session.data_to_send() == b""
        assert only_write(session.accept()).request.body == b"0,1"
        assert sent(session) == [Connack(0), Pingresp(), Pingresp()]

    def test_what_waits_is_limited(self) -> None:
        """A client that floods before it is accepted is cut off."""
        session = Session()
        session.receive(encode(HELLO))
        assert session.receive(bytes(MAX_HELD)) == []
        assert isinstance(session.receive(b"\0")[0], Violation)
        assert session.closed
        assert session.accept() == []

    def test_a_second_connect_ends_the_connection(self) -> None:
        """As the standard demands."""
        session = opened()
        assert isinstance(session.receive(encode(HELLO))[0], Violation)
        assert session.closed


class TestWriting:
    """A message is a write request."""

    @pytest.mark.parametrize(
        ("topic", "payload", "method", "path"),
        [
            ("/v2/feeds/504.csv", b"0,29", "PUT", "/v2/feeds/504.csv"),
            ("/v2/feeds/504/datastreams/0.csv", b"29", "PUT", "/v2/feeds/504/datastreams/0.csv"),
            ("/v2/feeds/504.csv", b"0,1\n1,2", "PUT", "/v2/feeds/504.csv"),
            (KEY + "/v2/feeds/504.json", b'{"datastreams":[{"id":"0","current_value":5}]}', "PUT",
             "/v2/feeds/504.json"),
            ("v2/feeds/504/datastreams/0/datapoints.csv", b"2013-01-01T00:00:00Z,5", "POST",
             "/v2/feeds/504/datastreams/0/datapoints.csv"),
        ],
    )  # fmt: skip
    def test_what_real_programs_send(self, topic: str, payload: bytes, method: str, path: str) -> None:
        """The request is the one HTTP would have brought."""
        write = only_write(opened().receive(encode(Publish(topic, payload))))
        request = write.request
        assert (request.method, request.path, request.body) == (method, path, payload)
        assert (request.headers, request.peer) == ({"x-apikey": KEY}, "192.0.2.7")

    def test_quality_0_is_not_acknowledged(self) -> None:
        """Nothing is sent, whatever became of the request."""
        session = opened()
        session.acknowledge(only_write(session.receive(encode(Publish("/v2/feeds/1.csv", b"0,1")))))
        assert session.data_to_send() == b""

    def test_quality_1_is_acknowledged_when_it_is_done(self) -> None:
        """Not before, so that an acknowledged value is a stored one."""
        session = opened()
        write = only_write(session.receive(encode(Publish("/v2/feeds/1.csv", b"0,1", 1, packet_id=7))))
        assert session.data_to_send() == b""
        session.acknowledge(write)
        assert sent(session) == [Acknowledgement(PUBACK, 7)]

    def test_acknowledgements_keep_the_order_of_the_messages(self) -> None:
        """Even if the requests are done in another order."""
        session = opened()
        writes = [
            only_write(session.receive(encode(Publish("/v2/feeds/1.csv", b"0,1", qos, packet_id=packet_id))))
            for qos, packet_id in ((1, 1), (2, 2), (1, 3))
        ]
        session.acknowledge(writes[2])
        session.acknowledge(writes[1])
        assert session.data_to_send() == b""
        session.acknowledge(writes[0])
        assert sent(session) == [
            Acknowledgement(PUBACK, 1),
            Acknowledgement(PUBREC, 2),
            Acknowledgement(PUBACK, 3),
        ]

    def test_quality_2_is_carried_out_once(self) -> None:
        """A repeated message is acknowledged again but written only once, until it was released."""
        session = opened()
        message = encode(Publish("/v2/feeds/1.csv", b"0,1", 2, packet_id=7))
        repeated = encode(Publish("/v2/feeds/1.csv", b"0,1", 2, duplicate=True, packet_id=7))
        write = only_write(session.receive(message))
        assert session.receive(repeated) == []
        assert session.data_to_send() == b""
        session.acknowledge(write)
        assert session.receive(repeated) == []
        assert sent(session) == [Acknowledgement(PUBREC, 7), Acknowledgement(PUBREC, 7)]
        assert session.receive(encode(Acknowledgement(PUBREL, 7))) == []
        assert sent(session) == [Acknowledgement(PUBCOMP, 7)]
        only_write(session.receive(message))

    def test_an_unknown_release_is_completed(self) -> None:
        """The client that repeats it must get its end."""
        session = opened()
        session.receive(encode(Acknowledgement(PUBREL, 9)))
        assert sent(session) == [Acknowledgement(PUBCOMP, 9)]

    def test_messages_that_are_never_released_are_limited(self) -> None:
        """A client that only ever begins is cut off."""
        session = opened()
        for packet_id in range(1, MAX_UNRELEASED + 1):
            only_write(session.receive(encode(Publish("/v2/feeds/1.csv", b"0,1", 2, packet_id=packet_id))))
        (violation,) = session.receive(encode(Publish("/v2/feeds/1.csv", b"0,1", 2, packet_id=65_535)))
        assert isinstance(violation, Violation)

    @pytest.mark.parametrize(
        ("topic", "payload", "reason"),
        [
            ("/v2/feeds/1.csv", b"", "empty payload"),
            ("garden/temperature", b"21", "no resource"),
            ("/v2/feeds?_method=delete", b"{}", "method override"),
        ],
    )
    def test_what_has_no_effect_is_acknowledged_all_the_same(
        self, topic: str, payload: bytes, reason: str
    ) -> None:
        """The client isn't told, the transport is."""
        session = opened()
        assert session.receive(encode(Publish(topic, payload, 1, packet_id=3))) == [Ignored(reason)]
        assert session.receive(encode(Publish(topic, payload, 2, packet_id=4))) == [Ignored(reason)]
        assert session.receive(encode(Publish(topic, payload))) == [Ignored(reason)]
        assert sent(session) == [Acknowledgement(PUBACK, 3), Acknowledgement(PUBREC, 4)]

    def test_a_wildcard_in_a_topic_ends_the_connection(self) -> None:
        """As the standard demands."""
        assert isinstance(opened().receive(b"\x30\x05\x00\x02a+x")[0], Violation)


class TestSubscribing:
    """A subscription is to a feed or datastream, and everything else gives one message."""

    def test_a_subscription_asks_for_the_present_state(self) -> None:
        """SUBACK grants quality 0, and the request is the GET of the topic."""
        session = opened()
        topic = "OTHER/v2/feeds/504/datastreams/temp.csv?timezone=8"
        subscription = only_subscription(session.receive(encode(Subscribe(9, ((topic, 2),)))))
        assert sent(session) == [Suback(9, (0,))]
        assert (subscription.topic, subscription.target) == (topic, Target(504, "temp"))
        request = subscription.request
        assert (request.method, request.path, request.query_text) == (
            "GET",
            "/v2/feeds/504/datastreams/temp.csv",
            "timezone=8",
        )
        assert request.headers == {"x-apikey": "OTHER"}
        session.publish(topic, b"2013-01-01T00:00:00.000000Z,5")
        assert sent(session) == [Publish(topic, b"2013-01-01T00:00:00.000000Z,5")]

    def test_the_old_version_is_served(self) -> None:
        """Small devices read bare values from it."""
        subscription = only_subscription(
            opened().receive(encode(Subscribe(1, (("/v1/feeds/504/datastreams/0.csv", 0),))))
        )
        assert subscription.target == Target(504, "0")
        assert subscription.request.path == "/v1/feeds/504/datastreams/0.csv"

    def test_other_resources_give_one_single_message(self) -> None:
        """There is nothing to update them."""
        session = opened()
        subscription = only_subscription(session.receive(encode(Subscribe(1, (("/v2/triggers.json", 0),)))))
        assert subscription.target is None
        assert session.receive(encode(Unsubscribe(2, ("/v2/triggers.json",)))) == []
        assert sent(session) == [Suback(1, (0,)), Unsuback(2)]

    def test_wildcards_and_nonsense_get_no_messages(self) -> None:
        """SUBACK grants 0 for each, as for everything."""
        session = opened()
        filters = (("#", 0), ("/v2/feeds/+", 1), ("garden", 2))
        assert session.receive(encode(Subscribe(1, filters))) == [
            Ignored("wildcard"),
            Ignored("wildcard"),
            Ignored("no resource"),
        ]
        assert sent(session) == [Suback(1, (0, 0, 0))]

    def test_unsubscribing_ends_it_once(self) -> None:
        """UNSUBACK is always sent, and the transport is told of what there was."""
        session = opened()
        session.receive(encode(Subscribe(1, (("/v2/feeds/1", 0), ("/v2/feeds/2", 0)))))
        both = encode(Unsubscribe(2, ("/v2/feeds/1", "/v2/feeds/3")))
        assert session.receive(both) == [UnsubscribeRequest("/v2/feeds/1")]
        assert session.receive(both) == []
        assert sent(session) == [Suback(1, (0, 0)), Unsuback(2), Unsuback(2)]

    def test_subscribing_again_gives_the_state_again(self) -> None:
        """And counts only once."""
        session = opened()
        again = encode(Subscribe(1, (("/v2/feeds/1", 0),)))
        for _ in range(MAX_SUBSCRIPTIONS + 1):
            only_subscription(session.receive(again))

    def test_subscriptions_are_limited(self) -> None:
        """A client that has too many is cut off instead of being left without."""
        session = opened()
        for number in range(MAX_SUBSCRIPTIONS):
            session.receive(encode(Subscribe(1, ((f"/v2/feeds/{number}", 0),))))
        assert isinstance(
            session.receive(encode(Subscribe(1, (("/v2/feeds/x1", 0), ("/v2/feeds/1234567", 0)))))[-1],
            Violation,
        )


class TestEnding:
    """What happens to the will."""

    hello = Connect(
        4, "MQTT", "d", user_name=KEY, will=Will("/v2/feeds/12345/datastreams/0.csv", b"0", 1, True)
    )

    def test_the_will_is_a_write_request(self) -> None:
        """It is executed when the connection ends without a goodbye, once."""
        session = opened(self.hello)
        will = session.connection_lost()
        assert will is not None
        assert (will.method, will.path, will.body) == ("PUT", "/v2/feeds/12345/datastreams/0.csv", b"0")
        assert will.headers == {"x-apikey": KEY}
        assert session.connection_lost() is None

    def test_a_goodbye_drops_the_will(self) -> None:
        """And ends the connection."""
        session = opened(self.hello)
        assert session.receive(encode(Disconnect()) + encode(Pingreq())) == [Goodbye()]
        assert session.closed
        assert session.connection_lost() is None

    def test_a_violation_is_no_goodbye(self) -> None:
        """A client that talks nonsense has its will executed."""
        session = opened(self.hello)
        assert isinstance(session.receive(b"\x00")[0], Violation)
        assert session.connection_lost() is not None

    def test_who_was_not_accepted_has_no_will(self) -> None:
        """Also if the connection ends before the verdict."""
        session = Session()
        session.receive(encode(self.hello))
        assert session.connection_lost() is None

    def test_the_topic_of_the_will_can_carry_a_key(self) -> None:
        """Like any topic."""
        will = Will("OTHER/v2/feeds/1.csv", b"0,0")
        session = opened(Connect(4, "MQTT", "d", will=will))
        request = session.connection_lost()
        assert request is not None
        assert request.headers == {"x-apikey": "OTHER"}

    @pytest.mark.parametrize(
        "will", [Will("/v2/feeds/1.csv", b""), Will("gone", b"x"), Will("/v2/feeds?_method=put", b"x")]
    )
    def test_a_will_that_would_be_ignored_is_none(self, will: Will) -> None:
        """As the same message would have been."""
        assert opened(Connect(4, "MQTT", "d", will=will)).connection_lost() is None

    def test_a_ping_is_answered(self) -> None:
        """At once."""
        session = opened()
        assert session.receive(encode(Pingreq())) == []
        assert sent(session) == [Pingresp()]

    @pytest.mark.parametrize("packet", [Connack(0), Suback(1, (0,)), Unsuback(1), Pingresp()])
    def test_what_only_servers_send_ends_the_connection(self, packet: Packet) -> None:
        """A client that sends it is none."""
        assert isinstance(opened().receive(encode(packet))[0], Violation)

    @pytest.mark.parametrize("kind", [PUBACK, PUBREC, PUBCOMP])
    def test_needless_acknowledgements_are_ignored(self, kind: int) -> None:
        """Nothing was sent that they could be for."""
        session = opened()
        assert session.receive(encode(Acknowledgement(kind, 1))) == []
        assert session.data_to_send() == b""


def conversation(chunks: Iterable[bytes]) -> tuple[list[str], set[str], bool]:
    """Run a session that accepts everybody and carries everything out at once."""
    session = Session()
    events: list[str] = []
    output = b""
    for chunk in chunks:
        waiting = list(session.receive(chunk))
        while waiting:
            event = waiting.pop(0)
            if isinstance(event, ConnectRequest):
                waiting += session.accept()
            if isinstance(event, WriteRequest):
                session.acknowledge(event)
            events.append(repr(event))
        output += session.data_to_send()
    return events, set(map(repr, PacketReader().receive(output))), session.closed


PIECES = st.sampled_from(
    [
        encode(HELLO),
        encode(Pingreq()),
        encode(Publish("/v2/feeds/1.csv", b"0,1")),
        encode(Publish("/v2/feeds/1.csv", b"0,1", 1, packet_id=5)),
        encode(Publish("/v2/feeds/1.csv", b"0,1", 2, packet_id=6)),
        encode(Acknowledgement(PUBREL, 6)),
        encode(Publish("x", b"", 1, packet_id=8)),
        encode(Subscribe(1, (("/v2/feeds/1", 0), ("#", 0)))),
        encode(Unsubscribe(2, ("/v2/feeds/1",))),
        encode(Disconnect()),
        encode(Suback(1, (0,))),
        b"\x30",
        b"\x00",
    ]
)


@given(st.lists(PIECES, max_size=12), st.lists(st.integers(1, 20)))
def test_chunks_never_matter(pieces: list[bytes], sizes: list[int]) -> None:
    """
    The same requests and the same answers, whole, byte by byte and cut anywhere.

    Of the answers only which there are: an acknowledgement waits for its request, while others are made
    at once, and a message that is repeated before its acknowledgement went out gets one for both.
    """
    stream = encode(HELLO) + b"".join(pieces)
    expected = conversation(byte_by_byte(stream))
    assert conversation([stream]) == expected
    assert conversation(cut(stream, sizes)) == expected


@given(st.binary(max_size=80))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    """Neither at the beginning nor in an open session."""
    Session().receive(data)
    opened().receive(data)
