"""The service in a child process, as programs that test themselves against it use it."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from txpachube.testing.service import LOOPBACK, ServiceNotReady, ServiceProcess


def read(service: ServiceProcess, path: str) -> bytes:
    """Return what the service answers to its master key."""
    with urlopen(Request(service.url + path, headers={"X-ApiKey": service.api_key}), timeout=20) as answer:
        body: bytes = answer.read()
        return body


def test_it_lasts_as_long_as_its_block(tmp_path: Path) -> None:
    """Inside of the block the service answers, after it the process is gone and its data is there."""
    with ServiceProcess(tmp_path / "data") as service:
        assert service.url == f"http://127.0.0.1:{service.port}"
        assert set(service.urls) == {"http"}
        assert set(service.account) == {"login", "password", "api_key"}
        assert b"totalResults" in read(service, "/v2/feeds")
    assert not service.running
    assert service.process is not None
    assert service.process.returncode == 0
    assert "created the account" in service.log
    assert service.api_key not in service.log


def test_it_starts_again_on_the_same_data(tmp_path: Path) -> None:
    """Whether it was stopped or killed, what it had acknowledged is there after the next start."""
    service = ServiceProcess(tmp_path)
    for number, end in enumerate((service.stop, service.kill, service.stop)):
        with service:
            key = service.api_key
            body = b'{"title":"x"}'
            urlopen(Request(f"{service.url}/v2/feeds?key={key}", body, method="POST"), timeout=20).close()
            assert read(service, "/v2/feeds").count(b'"id"') == number + 1
            end()
            assert not service.running
    assert service.api_key == key


def test_what_it_printed_when_it_could_not_start(tmp_path: Path) -> None:
    """A service that does not come up is an error that says why."""
    service = ServiceProcess(tmp_path, doors={"http": "nonsense:0"})
    with pytest.raises(ServiceNotReady, match="nonsense"):
        service.start()
    assert not service.running
    with ServiceProcess(tmp_path), pytest.raises(ServiceNotReady, match="another service"):
        ServiceProcess(tmp_path).start()


def test_settings_of_the_shell_do_not_reach_it(tmp_path: Path) -> None:
    """A service that somebody set up in the environment is left alone."""
    environ = {**os.environ, "PACHUBE_DATA": str(tmp_path / "theirs"), "PACHUBE_HTTP": "nonsense:0"}
    with ServiceProcess(tmp_path / "ours", environ=environ) as service:
        assert service.run("feed", "list").returncode == 0
        assert read(service, "/v2/feeds")
    assert not (tmp_path / "theirs").exists()


def test_options_reach_it(tmp_path: Path) -> None:
    """Further arguments of the command can be given, such as the address in its URLs."""
    with ServiceProcess(
        tmp_path, {"http": LOOPBACK}, arguments=("--base-url", "https://api.example")
    ) as service:
        service.run_json("feed", "add", "--id", "7")
        assert b'"creator":"https://api.example/users/admin"' in read(service, "/v2/feeds/7.json")


def test_one_that_died_by_itself(tmp_path: Path) -> None:
    """The end of the block is no error when the process is gone already."""
    with ServiceProcess(tmp_path) as service:
        assert service.process is not None
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        assert not service.running
