"""A running service beside which commands are typed, and a directory without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from txpachube.testing.service import ServiceProcess


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """Return a running service that the tests of a module share."""
    with ServiceProcess(tmp_path_factory.mktemp("service")) as running:
        yield running
        assert running.stop() == 0
    assert "Traceback" not in running.log


@pytest.fixture
def offline(tmp_path: Path) -> ServiceProcess:
    """Return a data directory with no service on it."""
    return ServiceProcess(tmp_path / "data")
