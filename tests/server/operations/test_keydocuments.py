"""Keys: records to documents and back."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from txpachube.api.parameters import MAX_ID
from txpachube.api.problems import Problem
from txpachube.server.operations.keydocuments import feed_number, key_document, read_key
from txpachube.server.storage.records import Key, Permission, Resource
from txpachube.times import parse

KEY = Key(
    1,
    "the-text",
    1,
    "rosa",
    "door",
    True,
    (
        Permission(("get",)),
        Permission(
            ("put", "post"),
            source_ip="192.0.2.0/24",
            source_network=ip_network("192.0.2.0/24"),
            referer="garden.example",
            minimum_interval=60,
            label="writing",
            resources=(Resource(1), Resource(1, "temp"), Resource(None, None, 14)),
        ),
    ),
    parse("2013-12-31T22:59:59.9Z"),
)


def test_a_key_can_be_read_as_it_was_written() -> None:
    """All of a key's parts are in its document; only the fraction of its expiry is cut off."""
    document = key_document(KEY)
    assert document["expires_at"] == "2013-12-31T22:59:59Z"
    wish = read_key(document, None)
    assert (wish.label, wish.private_access, wish.permissions) == ("door", True, KEY.permissions)
    assert wish.expires_at == parse("2013-12-31T22:59:59Z")
    assert wish.feed_ids() == {1}


def test_empty_parts_of_a_permission_are_left_out() -> None:
    """A strict client fails on members it does not know, and on empty ones."""
    assert key_document(KEY)["permissions"][0] == {"access_methods": ["get"]}


def test_what_is_absent_stays_as_it_was() -> None:
    """A change that says nothing changes nothing."""
    wish = read_key({}, KEY)
    assert (wish.label, wish.private_access, wish.permissions, wish.expires_at) == (
        KEY.label,
        KEY.private_access,
        KEY.permissions,
        KEY.expires_at,
    )


def test_methods_are_written_small_and_once() -> None:
    """Case and repetition don't matter, order stays."""
    wish = read_key({"label": "x", "permissions": [{"access_methods": ["PUT", " get ", "put"]}]}, None)
    assert wish.permissions[0].access_methods == ("put", "get")


@pytest.mark.parametrize(
    ("address", "network"),
    [("192.0.2.7", "192.0.2.7/32"), (" 192.0.2.7/24 ", "192.0.2.0/24"), ("2001:db8::1", "2001:db8::1/128")],
)
def test_addresses_of_both_kinds_and_networks(address: str, network: str) -> None:
    """One address, or a network with host bits forgiven."""
    wish = read_key({"label": "x", "permissions": [{"access_methods": ["get"], "source_ip": address}]}, None)
    assert wish.permissions[0].source_network == ip_network(network)
    assert wish.permissions[0].source_ip == address.strip()


@pytest.mark.parametrize(("given", "seconds"), [("60", 60), (60, 60), (0, None), ("", None), (None, None)])
def test_a_minimum_interval_of_zero_is_none(given: Any, seconds: int | None) -> None:
    """Numbers and texts of digits are seconds."""
    permission = {"access_methods": ["get"], "minimum_interval": given}
    assert (
        read_key({"label": "x", "permissions": [permission]}, None).permissions[0].minimum_interval == seconds
    )


def test_all_faults_are_told_at_once() -> None:
    """One message for each, none twice."""
    wrong = {"access_methods": [], "source_ip": "x", "resources": [{}, {}]}
    with pytest.raises(Problem) as refused:
        read_key({"label": "", "private_access": "x", "permissions": [wrong, wrong], "expires_at": "x"}, None)
    assert len(refused.value.errors) == 6


@pytest.mark.parametrize(
    ("given", "number"), [(1, 1), ("1", 1), (" 7 ", 7), (MAX_ID, MAX_ID), (str(MAX_ID), MAX_ID)]
)
def test_numbers_of_feeds(given: object, number: int) -> None:
    """Numbers and texts of digits, up to the largest the database has."""
    assert feed_number(given) == number


@pytest.mark.parametrize(
    "given",
    [0, -1, MAX_ID + 1, str(MAX_ID + 1), "x", "", "1.0", "\u0661", "²", True, None, [], 1.5, "9" * 5000],
)
def test_what_is_no_number_of_a_feed(given: object) -> None:
    """Neither other numbers nor other digits, however long."""
    assert feed_number(given) is None
