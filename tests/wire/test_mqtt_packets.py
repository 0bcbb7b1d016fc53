"""MQTT packets survive the way there and back, and what isn't one is refused."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.errors import DecodeError, InvalidValue
from txpachube.testing.chunks import byte_by_byte, cut
from txpachube.wire.mqtt_decode import PacketReader, decode_packet
from txpachube.wire.mqtt_encode import encode, encode_publish
from txpachube.wire.mqtt_packets import (
    CONNECT,
    PUBACK,
    PUBCOMP,
    PUBREC,
    PUBREL,
    Acknowledgement,
    Connack,
    Connect,
    Disconnect,
    MalformedPacket,
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

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
TOPIC = st.text(st.characters(codec="utf-8", exclude_characters="\0+#"), min_size=1, max_size=30)
FILTER = TEXT.filter(bool)
PAYLOAD = st.binary(max_size=300)
QOS = st.integers(0, 2)
IDENTIFIER = st.integers(1, 65_535)


@st.composite
def connects(draw: st.DrawFn) -> Connect:
    user_name = draw(st.none() | TEXT)
    return Connect(
        *draw(st.sampled_from([(3, "MQIsdp"), (4, "MQTT")])),
        client_id=draw(TEXT),
        clean_session=draw(st.booleans()),
        keep_alive=draw(st.integers(0, 65_535)),
        will=draw(st.none() | st.builds(Will, TOPIC, PAYLOAD, QOS, st.booleans())),
        user_name=user_name,
        password=draw(st.none() | PAYLOAD) if user_name is not None else None,
    )


@st.composite
def publishes(draw: st.DrawFn) -> Publish:
    qos = draw(QOS)
    packet_id = draw(IDENTIFIER) if qos else 0
    return Publish(draw(TOPIC), draw(PAYLOAD), qos, draw(st.booleans()), draw(st.booleans()), packet_id)


PACKETS = st.one_of(
    connects(),
    publishes(),
    st.builds(Connack, st.integers(0, 255), st.booleans()),
    st.builds(Acknowledgement, st.sampled_from([PUBACK, PUBREC, PUBREL, PUBCOMP]), IDENTIFIER),
    st.builds(Subscribe, IDENTIFIER, st.lists(st.tuples(FILTER, QOS), min_size=1, max_size=4).map(tuple)),
    st.builds(Suback, IDENTIFIER, st.lists(st.sampled_from([0, 1, 2, 128]), min_size=1).map(tuple)),
    st.builds(Unsubscribe, IDENTIFIER, st.lists(FILTER, min_size=1, max_size=4).map(tuple)),
    st.builds(Unsuback, IDENTIFIER),
    st.sampled_from([Pingreq(), Pingresp(), Disconnect()]),
)


def read(chunks: Iterable[bytes], level: int = 4, max_packet: int = 10_000) -> list[Packet | Violation]:
    reader = PacketReader(max_packet, level)
    return [packet for chunk in chunks for packet in reader.receive(chunk)]


@given(PACKETS, st.binary(max_size=5))
def test_a_packet_comes_back_as_it_was(packet: Packet, behind: bytes) -> None:
    """Whole, byte by byte, and with something behind it."""
    data = encode(packet)
    level = 4
    assert read([data], level) == [packet]
    assert read(byte_by_byte(data), level) == [packet]
    assert read([data + behind], level)[0] == packet
    for length in range(0, len(data), max(1, len(data) // 7)):
        assert read([data[:length]], level) == []


@given(st.lists(PACKETS, max_size=5), st.lists(st.integers(1, 40)))
def test_chunks_never_matter(packets: list[Packet], sizes: list[int]) -> None:
    """A stream of packets is read the same in any chunks."""
    data = b"".join(map(encode, packets))
    whole = read([data])
    assert read(cut(data, sizes)) == whole
    if not any(isinstance(packet, Connect) and packet.level == 3 for packet in packets):
        assert whole == packets


@given(st.binary(max_size=60), st.lists(st.integers(1, 9)), st.sampled_from([3, 4]))
def test_arbitrary_bytes_give_packets_and_at_most_one_violation(
    data: bytes, sizes: list[int], level: int
) -> None:
    """Nothing is raised, the same comes out in any chunks, and nothing comes after a violation."""
    whole = read([data], level)
    assert read(cut(data, sizes), level) == whole
    assert not any(isinstance(packet, Violation) for packet in whole[:-1])


@given(st.integers(0, 255), st.binary(max_size=40), st.sampled_from([3, 4]))
def test_decoding_raises_nothing_but_malformed_packet(first: int, body: bytes, level: int) -> None:
    """A caller needs to catch one class."""
    with suppress(MalformedPacket):
        decode_packet(first, body, level)


def test_a_malformed_packet_is_a_decode_error() -> None:
    """It says what was being read and why it couldn't be."""
    problem = MalformedPacket("a text is not UTF-8")
    assert isinstance(problem, DecodeError)
    assert (problem.format, str(problem)) == ("mqtt", "a text is not UTF-8")


@pytest.mark.parametrize(
    ("payload", "head"), [(0, 2), (119, 2), (120, 3), (16_000, 3), (17_000, 4), (2_097_150, 5)]
)
def test_the_length_has_as_many_bytes_as_it_needs(payload: int, head: int) -> None:
    """Seven bits in each of one to four bytes."""
    data = encode_publish("topic/", bytes(payload))
    assert len(data) == head + 2 + 6 + payload
    assert read([data], max_packet=3_000_000) == [Publish("topic/", bytes(payload))]


def test_well_known_bytes() -> None:
    """Packets are those of the standard's examples."""
    assert encode(Connect(4, "MQTT", "a", True, 10)) == b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01a"
    assert encode(Connect(3, "MQIsdp", "a", False, 0)) == b"\x10\x0f\x00\x06MQIsdp\x03\x00\x00\x00\x00\x01a"
    assert encode(Publish("a/b", b"x", 1, True, True, 10)) == b"\x3b\x08\x00\x03a/b\x00\x0ax"
    assert (
        encode(Subscribe(10, (("a/b", 1), ("c/d", 2)))) == b"\x82\x0e\x00\x0a\x00\x03a/b\x01\x00\x03c/d\x02"
    )
    assert encode(Acknowledgement(PUBREL, 1)) == b"\x62\x02\x00\x01"
    assert encode(Connack(0)) == b"\x20\x02\x00\x00"
    assert encode(Pingresp()) == b"\xd0\x00"


CONNECT_31 = b"\x00\x06MQIsdp\x03"
CONNECT_311 = b"\x00\x04MQTT\x04"


@pytest.mark.parametrize(
    ("first", "body", "level"),
    [
        (0x10, b"\x00\x04HTTP\x04\x02\x00\x00\x00\x00", 4),  # another protocol
        (0x10, CONNECT_311 + b"\x03\x00\x00\x00\x00", 4),  # the reserved flag
        (0x11, CONNECT_311 + b"\x02\x00\x00\x00\x00", 4),  # a flag in the first byte
        (0x10, CONNECT_311 + b"\x0a\x00\x00\x00\x00", 4),  # a will's flags without a will
        (0x10, CONNECT_311 + b"\x1e\x00\x00\x00\x00\x00\x01t\x00\x00", 4),  # a will of quality 3
        (0x10, CONNECT_311 + b"\x06\x00\x00\x00\x00\x00\x00\x00\x00", 4),  # a will without a topic
        (0x10, CONNECT_311 + b"\x42\x00\x00\x00\x00\x00\x01p", 4),  # a password without a user name
        (0x10, CONNECT_311 + b"\x82\x00\x00\x00\x00", 4),  # no user name, though announced
        (0x10, CONNECT_311 + b"\x02\x00\x00\x00\x00x", 4),  # something behind
        (0x10, CONNECT_311 + b"\x02\x00\x00\x00\x02\xff\xfe", 4),  # not UTF-8
        (0x10, CONNECT_311 + b"\x02\x00\x00\x00\x01\x00", 4),  # U+0000
        (0x10, CONNECT_311[:5], 4),
        (0x20, b"\x02\x00", 4),
        (0x30, b"\x00\x00payload", 4),  # no topic
        (0x30, b"\x00\x09a", 4),
        (0x30, b"\x00", 4),
        (0x30, b"\x00\x03\xed\xa0\x80", 4),  # a surrogate
        (0x32, b"\x00\x01a\x00\x00", 4),  # identifier 0
        (0x32, b"\x00\x01a\x00", 4),
        (0x36, b"\x00\x01a\x00\x01", 4),  # quality 3
        (0x40, b"\x00\x00", 4),
        (0x40, b"\x00\x01\x00", 4),
        (0x82, b"\x00\x01", 4),  # no filter
        (0x82, b"\x00\x01\x00\x01a", 4),
        (0x82, b"\x00\x01\x00\x01a\x03", 4),
        (0x82, b"\x00\x01\x00\x01a\x04", 4),
        (0x82, b"\x00\x01\x00\x00\x00", 4),
        (0x82, b"\x00\x01\x00\x01a\x03", 3),
        (0x90, b"\x00\x01", 4),
        (0x90, b"\x00\x01\x03", 4),
        (0xA2, b"\x00\x01", 4),
        (0xB0, b"", 4),
        (0xC0, b"x", 4),
        (0x00, b"", 4),
        (0xF0, b"", 4),
    ],
)
def test_a_malformed_packet_is_a_violation(first: int, body: bytes, level: int) -> None:
    """It ends the stream, and nothing behind it is read."""
    with pytest.raises(MalformedPacket):
        decode_packet(first, body, level)
    (violation,) = read([bytes((first, len(body))) + body + encode(Pingreq())], level)
    assert isinstance(violation, Violation)


def test_the_older_version_is_read_by_its_own_rules() -> None:
    """In 3.1 reserved flags mean nothing, and the length counts for more than the flags for texts."""
    data = bytes((0x10, 14)) + CONNECT_31 + b"\xc3\x00\x0a\x00\x00"
    assert read([data + b"\x8a\x06\x00\x01\x00\x01a\xfd"]) == [
        Connect(3, "MQIsdp", "", True, 10),
        Subscribe(1, (("a", 1),)),
    ]
    assert decode_packet(0x10, CONNECT_31 + b"\x42\x00\x00\x00\x00\x00\x01p", 4) == Connect(
        3, "MQIsdp", "", True, 0, password=b"p"
    )


@pytest.mark.parametrize(
    "data",
    [b"\x82\x00", b"\x80", b"\x41", b"\x60", b"\xc1", b"\xe3", b"\x36", b"\x07", b"GET / HTTP/1.1\r\n"],
)
def test_a_wrong_first_byte_is_noticed_at_once(data: bytes) -> None:
    """Nothing of such a packet is waited for."""
    reader = PacketReader()
    events = reader.receive(data[:1])
    if data[0] == 0x82:
        assert events == []
    else:
        assert isinstance(events[0], Violation)
        assert reader.waiting == 0


def test_the_first_packet_can_be_prescribed() -> None:
    """A connection that doesn't begin with a CONNECT isn't one."""
    reader = PacketReader(first_type=CONNECT)
    assert isinstance(reader.receive(b"\x30")[0], Violation)
    reader = PacketReader(first_type=CONNECT)
    hello = Connect(4, "MQTT", "a")
    assert reader.receive(encode(hello) + encode(Pingreq())) == [hello, Pingreq()]


def test_a_packet_has_a_largest_size() -> None:
    """The limit is met exactly; beyond it nothing is waited for."""
    data = encode_publish("a", b"x" * 97)
    assert read([data], max_packet=100) == [Publish("a", b"x" * 97)]
    (violation,) = read([data[:2]], max_packet=99)
    assert isinstance(violation, Violation)
    (violation,) = read([b"\x30\xff\xff\xff\xff"], max_packet=10**9)
    assert isinstance(violation, Violation)


def test_a_subscribe_has_a_largest_number_of_filters() -> None:
    """One packet can't ask for more than a connection may have."""
    data = encode(Subscribe(1, (("a", 0),) * 1001))
    (violation,) = read([data])
    assert isinstance(violation, Violation)


@pytest.mark.parametrize("level", [0, 2, 5, 131])
def test_of_an_unknown_version_nothing_more_is_read(level: int) -> None:
    """The server can still answer that it doesn't speak it."""
    body = b"\x00\x04MQTT" + bytes((level,)) + b"whatever"
    assert read([bytes((0x10, len(body))) + body]) == [Connect(level, "MQTT")]


@pytest.mark.parametrize(
    "packet",
    [
        Publish("", b""),
        Publish("a/+", b""),
        Publish("#", b""),
        Publish("x" * 65_536, b""),
        Publish("\ud800", b""),
        Publish("a", b"", qos=1),
        Publish("a", b"", qos=3, packet_id=1),
        Subscribe(1, ()),
        Subscribe(0, (("a", 0),)),
        Subscribe(1, (("a", 3),)),
        Unsubscribe(1, ()),
        Unsuback(65_536),
        Connack(256),
        Connect(4, "MQTT", keep_alive=65_536),
        Connect(4, "MQTT", password=b"secret"),
    ],
)
def test_what_the_standard_forbids_is_not_written(packet: Packet) -> None:
    """The mistake is the caller's, and the text of the error holds no secret."""
    with pytest.raises(InvalidValue) as caught:
        encode(packet)
    assert "secret" not in str(caught.value)


def test_keys_are_in_no_repr() -> None:
    """User names are keys, and topics can hold one."""
    packets = (
        Connect(
            4, "MQTT", "a", user_name="SECRET", password=b"SECRET", will=Will("SECRET/v2/feeds/1", b"SECRET")
        ),
        Publish("SECRET/v2/feeds/1", b"0,1"),
        Subscribe(1, (("SECRET/v2/feeds/1", 0),)),
        Unsubscribe(1, ("SECRET/v2/feeds/1",)),
    )
    assert "SECRET" not in repr(packets)


def test_time_is_linear() -> None:
    """Four times the bytes, one at a time, take nowhere near sixteen times as long."""

    def seconds(length: int) -> float:
        data = encode_publish("a", bytes(length))
        began = time.process_time()
        read(byte_by_byte(data), max_packet=10**6)
        return time.process_time() - began

    small = min(seconds(20_000) for _ in range(3))
    assert min(seconds(80_000) for _ in range(2)) < 10 * small + 0.01
