"""Products and devices in JSON, and the line that a sketch reads."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.codecs import products
from txpachube.errors import DecodeError

DECODERS = [products.decode_product, products.decode_device, products.decode_devices]


@pytest.mark.parametrize(
    ("body", "product"),
    [
        (b"{}", {}),
        (b'{"product":{}}', {}),
        (b'{"product":{"name":"Box"}}', {"name": "Box"}),
        (
            b'\xef\xbb\xbf{"name":"Box","state":null,"secret":"x","devices_count":[]}',
            {"name": "Box", "state": None},
        ),
        (b'{"name":17}', {"name": "17"}),
        (b'{"feed_defaults":null}', {"feed_defaults": None}),
        (b'{"feed_defaults":""}', {"feed_defaults": None}),
        (b'{"feed_defaults":{"private":true}}', {"feed_defaults": {"private": True}}),
        (
            b'{"feed_defaults":{"tags":"a,b","datastreams":[{"id":7,"tags":"c","unit":null}],"secret":1}}',
            {
                "feed_defaults": {
                    "tags": ["a", "b"],
                    "datastreams": [{"id": "7", "tags": ["c"], "unit": None}],
                }
            },
        ),
    ],
)
def test_a_product_is_read(body: bytes, product: dict[str, Any]) -> None:
    """With its root or without; the template is read as leniently as a feed."""
    assert products.decode_product(body) == product


@pytest.mark.parametrize(
    ("body", "devices"),
    [
        (b"{}", []),
        (b"[]", []),
        (b'{"devices":null}', []),
        (
            b'{"devices":[{"serial":"abc123"},{"serial":"321cba","feed_id":7}]}',
            [{"serial": "abc123"}, {"serial": "321cba"}],
        ),
        (b'[{"serial":17},{"serial":null},{}]', [{"serial": "17"}, {"serial": None}, {}]),
    ],
)
def test_devices_are_read(body: bytes, devices: list[dict[str, Any]]) -> None:
    """In their root or as an array alone."""
    assert products.decode_devices(body) == devices


@pytest.mark.parametrize("body", [b'{"device":{"serial":"a"}}', b'{"serial":"a","activated_at":{}}'])
def test_a_device_is_read(body: bytes) -> None:
    """With its root or without."""
    assert products.decode_device(body) == {"serial": "a"}


@pytest.mark.parametrize(
    ("decode", "body", "where"),
    [
        (products.decode_product, b"", ""),
        (products.decode_product, b"[]", "$"),
        (products.decode_product, b'{"product":[]}', "$.product"),
        (products.decode_product, b'{"product":{"name":{}}}', "$.product.name"),
        (products.decode_product, b'{"feed_defaults":[]}', "$.feed_defaults"),
        (
            products.decode_product,
            b'{"product":{"feed_defaults":{"title":[]}}}',
            "$.product.feed_defaults.title",
        ),
        (products.decode_product, b'{"feed_defaults":{"datastreams":{}}}', ""),
        (products.decode_product, b'{"name":"a\\u0000"}', "$.name"),
        (products.decode_device, b'"a"', "$"),
        (products.decode_device, b'{"device":{"serial":[]}}', "$.device.serial"),
        (products.decode_devices, b'{"devices":{}}', "$.devices"),
        (products.decode_devices, b'{"devices":["a"]}', "$.devices[0]"),
        (products.decode_devices, b'[{"serial":"a"},{"serial":[]}]', "$[1].serial"),
        (products.decode_devices, b'{"devices":[{"serial":"a"}', ""),
    ],
)
def test_what_cannot_be_read_is_told(decode: Any, body: bytes, where: str) -> None:
    """The error is one of JSON, and names the place where it is known."""
    with pytest.raises(DecodeError) as caught:
        decode(body)
    assert (caught.value.format, caught.value.where) == ("json", where)


@given(st.binary(max_size=60), st.sampled_from(DECODERS))
def test_rubbish_is_refused_or_read(body: bytes, decode: Any) -> None:
    """Nothing but a decoding error ever comes out of a reader."""
    with suppress(DecodeError):
        decode(body)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), max_size=5))
def test_serial_numbers_are_read_as_written(serials: list[str]) -> None:
    """What is written as a list of devices is read again."""
    documents = [{"serial": serial} for serial in serials]
    assert products.decode_devices(products.encode_devices(len(serials), 30, 1, documents)) == documents


def test_lists_have_their_numbers() -> None:
    """A list of devices says which page it is, a list of products only how many there are."""
    assert products.encode_products(0, []) == b'{"totalResults":0,"products":[]}'
    assert products.encode_devices(0, 30, 1, []) == (
        b'{"totalResults":0,"itemsPerPage":30,"startIndex":1,"devices":[]}'
    )
    assert products.encode_product({"name": "ü"}) == '{"product":{"name":"ü"}}'.encode()
    assert products.encode_device({"activated_at": None}) == b'{"device":{"activated_at":null}}'


def test_a_device_is_told() -> None:
    """In JSON the key has a name of its own; the line has neither blanks nor an end."""
    assert (
        products.encode_activation("K", 7, ["wind"]) == b'{"apikey":"K","feed_id":7,"datastreams":["wind"]}'
    )
    assert products.encode_activation_line("K", 7, ["wind", "a.b"]) == b"K,7,2,wind,a.b"
    assert products.encode_activation_line("K", 7, []) == b"K,7,0"
