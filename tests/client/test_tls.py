"""The client over TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import Certificate, optionsForClientTLS, trustRootFromCertificates

from txpachube import errors
from txpachube.client import NO_RETRIES, Client
from txpachube.testing.certificates import self_signed
from txpachube.testing.scripted import Line, ScriptedServer, answer

FEED = answer(200, b'{"id":504,"title":"Greenhouse"}')


async def test_tls(tmp_path: Path) -> None:
    """Over TLS calls are the same and connections are kept; a dying one is replaced."""
    pem = tmp_path / "server.pem"
    self_signed(pem)
    server = ScriptedServer(reactor, f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
    await server.start()
    trust = trustRootFromCertificates([Certificate.loadPEM(pem.read_bytes())])
    endpoint = wrapClientTLS(
        optionsForClientTLS("127.0.0.1", trustRoot=trust), HostnameEndpoint(reactor, "127.0.0.1", server.port)
    )
    client = Client("k", 504, base_url=f"https://127.0.0.1:{server.port}", endpoint=endpoint, environ={})
    server.play(FEED, answer(200), Line.close, FEED)
    assert (await client.read_feed()).title == "Greenhouse"
    assert await client.update_feed(data="{}") is True
    assert len(server.lines) == 1
    assert (await client.read_feed()).title == "Greenhouse"
    assert len(server.lines) == 2
    await client.close()
    await server.stop()


async def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """Nothing is sent to a service whose certificate is not trusted, and that is not tried again."""
    pem = tmp_path / "server.pem"
    self_signed(pem)
    server = ScriptedServer(reactor, f"ssl:0:interface=127.0.0.1:privateKey={pem}:certKey={pem}")
    await server.start()
    client = Client("the-key", 504, base_url=f"https://127.0.0.1:{server.port}", environ={})
    with pytest.raises(errors.ConnectionFailed, match=r"no TLS connection: .*certificate") as caught:
        await client.create_feed(data="{}")
    assert caught.value.request.startswith("POST https://127.0.0.1:")
    assert server.requests == []
    assert len(server.lines) == 1
    await client.close()
    await server.stop()


async def test_a_service_without_tls(server: ScriptedServer) -> None:
    """An https URL to a plain port is a ConnectionFailed, and the key does not leave."""
    url = server.url.replace("http:", "https:")
    client = Client("the-key", 1, base_url=url, retry=NO_RETRIES, environ={})
    with pytest.raises(errors.ConnectionFailed, match="no TLS connection"):
        await client.read_feed()
    assert server.requests == []
    await client.close()
