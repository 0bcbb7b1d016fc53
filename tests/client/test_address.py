"""Where the service is: base URLs."""

from __future__ import annotations

import pytest

from txpachube.client.address import ServiceAddress, checked_key
from txpachube.errors import InvalidValue


@pytest.mark.parametrize(
    ("url", "parts", "shown"),
    [
        ("http://127.0.0.1:8000", ("http", "127.0.0.1", 8000, ""), "http://127.0.0.1:8000"),
        ("https://pachube.example", ("https", "pachube.example", 443, ""), "https://pachube.example"),
        ("https://pachube.example:443/", ("https", "pachube.example", 443, ""), "https://pachube.example"),
        ("http://pachube.example:80", ("http", "pachube.example", 80, ""), "http://pachube.example"),
        ("HTTP://Pachube.Example", ("http", "pachube.example", 80, ""), "http://pachube.example"),
        ("http://[::1]:8000", ("http", "::1", 8000, ""), "http://[::1]:8000"),
        ("http://host/api/", ("http", "host", 80, "/api"), "http://host/api"),
        ("http://host/v2/", ("http", "host", 80, ""), "http://host"),
        (
            " http://bücher.example ",
            ("http", "xn--bcher-kva.example", 80, ""),
            "http://xn--bcher-kva.example",
        ),
    ],
)
def test_base_urls(url: str, parts: tuple[str, str, int, str], shown: str) -> None:
    """A base URL is taken apart, its default port left out, and a version at its end forgiven."""
    address = ServiceAddress.from_url(url)
    assert (address.scheme, address.host, address.port, address.prefix) == parts
    assert address.url == shown


def test_https_can_be_turned_into_http() -> None:
    """``use_http`` changes the scheme and the default port, and leaves a port that was written."""
    assert ServiceAddress.from_url("https://host", use_http=True).url == "http://host"
    assert ServiceAddress.from_url("https://host:8443", use_http=True).url == "http://host:8443"
    assert ServiceAddress.from_url("http://host", use_http=True).url == "http://host"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host",
        "host:8000",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://host:70000",
        "http://host/a b",
        "http://host/\u20ac",
        "http://host?x=1",
        "http://host#x",
        "http://[::1",
        "http://" + "x" * 300,
    ],
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    """The error names the argument."""
    with pytest.raises(InvalidValue) as caught:
        ServiceAddress.from_url(url)
    assert caught.value.field == "base_url"


@pytest.mark.parametrize(
    "url", ["http://user:s3cret@host", "http://s3cret@host", "http://host?key=s3cret", "ftp://u:s3cret@host"]
)
def test_a_password_in_a_url_is_refused_and_not_shown(url: str) -> None:
    """Credentials belong into the key, and the error that says so does not repeat them."""
    with pytest.raises(InvalidValue) as caught:
        ServiceAddress.from_url(url)
    assert "s3cret" not in str(caught.value) + repr(caught.value)


def test_a_key_is_trimmed() -> None:
    """A key from a file may have a line end."""
    assert checked_key(" abc_-1\n") == "abc_-1"


@pytest.mark.parametrize("key", ["s3cret\r\nX: y", "s3cret\x00", "s3cret x", "s3crét", "s3cret" * 1000])
def test_what_cannot_be_a_key_is_refused_and_not_shown(key: str) -> None:
    """Nothing can be smuggled into the head of a request through the key."""
    with pytest.raises(InvalidValue) as caught:
        checked_key(key)
    assert caught.value.field == "api_key"
    assert "s3cr" not in str(caught.value) + repr(caught.value)
