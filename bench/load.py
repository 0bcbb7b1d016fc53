"""
Load for a server in a child process: `Server` starts one on its own core, `run_wrk` drives it from another.

wrk is a Debian package; where it is absent `run_wrk` raises `NoLoadGenerator` with a sentence to print.
On a machine with one core both sides share it, and only ratios between runs mean something.
They do anyway: compare with the bare server or the constant one, not with another machine.

    python bench/load.py                     # the HTTP door against a bare one
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

__all__ = ["Load", "Measured", "NoLoadGenerator", "Server", "ask", "available", "binder", "run_wrk"]

SERVER_CORE = 0
LOAD_CORE = 1
START_TIMEOUT = 30.0

_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class NoLoadGenerator(Exception):
    """wrk is not installed."""

    def __str__(self) -> str:
        return "skipped: the load generator is missing (apt-get install wrk)"


@attrs.frozen(kw_only=True)
class Load:
    """
    What every connection sends, again and again.

    Attributes:
        method: GET, PUT, ...
        path: with its query.
        headers: by name.
        body: the body; ``%d`` in it or in the path stands for a number when ``vary`` is set.
        vary: count requests of each connection modulo this number and put the count into path and body.
        first: what the count begins with.
        connections: how many at a time.
        seconds: how long, after a short warm-up.
        keep_alive: False opens a connection for each request.
        lua: a whole wrk script instead of all of the above except connections and seconds.
    """

    method: str = "GET"
    path: str = "/"
    headers: Mapping[str, str] = {}
    body: str = ""
    vary: int = 0
    first: int = 0
    connections: int = 32
    seconds: float = 5.0
    keep_alive: bool = True
    lua: str = ""


@attrs.frozen
class Measured:
    """
    What came out.

    Attributes:
        rate: answers per second.
        latency: seconds by percentile: 50, 75, 90, 99.
        requests: answers altogether.
        wrong: answers whose status was neither 2xx nor 3xx.
        socket_errors: connections refused or reset, reads and writes failed, time-outs.
        cpu: seconds of processor time that the server used, None when it is not known.
    """

    rate: float
    latency: Mapping[int, float]
    requests: int
    wrong: int
    socket_errors: int
    cpu: float | None = None

    def __str__(self) -> str:
        parts = [f"{self.rate:9,.0f}/s"]
        parts += [f"p{p} {self.latency[p] * 1e3:6.2f} ms" for p in (50, 99) if p in self.latency]
        if self.cpu and self.requests:
            parts.append(f"cpu {self.cpu / self.requests * 1e6:6.1f} us")
        if self.wrong or self.socket_errors:
            parts.append(f"WRONG {self.wrong} ERRORS {self.socket_errors}")
        return "  ".join(parts)


def available() -> bool:
    """Say whether load can be made here."""
    return shutil.which("wrk") is not None


class Server:
    """
    A child process on a core of its own, from the line that says where it listens to its end.

    Args:
        command: what to run; a first word ending in ``.py`` is run by this Python.
        door: the first word of the line that names the URL.
        core: the core it is bound to.
        environment: further variables.

    Attributes:
        urls: the URL of each door that was named, by door.
        process: the child.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        door: str = "http",
        core: int = SERVER_CORE,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = [sys.executable, *command] if command[0].endswith(".py") else list(command)
        self.door = door
        self.core = core
        self.environment = environment
        self.urls: dict[str, str] = {}
        self.process: subprocess.Popen[str]

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(
            self.command,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(self.environment or {})},
            preexec_fn=binder(self.core),  # noqa: PLW1509 - this program has no threads
        )
        started = time.monotonic()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            words = line.split()
            if len(words) == 2 and "://" in words[1]:
                self.urls[words[0]] = words[1]
            if words == ["ready"]:
                return self
            if time.monotonic() - started > START_TIMEOUT:
                break
        self.__exit__()
        raise RuntimeError(f"{' '.join(self.command)} did not become ready")

    def __exit__(self, *exc_info: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    @property
    def url(self) -> str:
        """Where the door is, without a slash at the end."""
        return self.urls[self.door].rstrip("/")

    def cpu_seconds(self) -> float | None:
        """Return the processor time used so far; None where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def bytes_written(self) -> int | None:
        """Return the bytes sent to the disk so far; None where there is no /proc."""
        try:
            text = Path(f"/proc/{self.process.pid}/io").read_text()
        except OSError:
            return None
        found = re.search(r"^write_bytes: (\d+)", text, re.M)
        return int(found[1]) if found else None


def run_wrk(url: str, load: Load, *, server: Server | None = None, core: int = LOAD_CORE) -> Measured:
    """
    Drive a server and return what was measured.

    Args:
        url: of the server, without a path.
        load: what to send.
        server: its process, for the processor time.
        core: where wrk runs.

    Raises:
        NoLoadGenerator: there is no wrk here.
    """
    program = shutil.which("wrk")
    if program is None:
        raise NoLoadGenerator
    with tempfile.NamedTemporaryFile("w", suffix=".lua", delete=False) as script:
        script.write(load.lua or _lua(load))
    command = [program, "-t1", f"-c{load.connections}", "--latency", "--timeout", "10s", "-s", script.name]
    try:
        _wrk([*command, "-d1s", url], core)
        before = server.cpu_seconds() if server else None
        output = _wrk([*command, f"-d{max(1, round(load.seconds))}s", url], core)
        after = server.cpu_seconds() if server else None
    finally:
        os.unlink(script.name)
    measured = _parse(output)
    if before is not None and after is not None:
        measured = attrs.evolve(measured, cpu=after - before)
    return measured


def ask(url: str, load: Load) -> tuple[int, bytes]:
    """Send the load's request once and return status and body, to see that it does what it should."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    def fill(text: str) -> str:
        return text.replace("%d", str(load.first)) if load.vary else text

    body = fill(load.body).encode() or None
    request = Request(url + fill(load.path), body, dict(load.headers), method=load.method)
    try:
        with urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def _wrk(command: list[str], core: int) -> str:
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=binder(core), check=False)
    if done.returncode:
        raise RuntimeError(f"wrk: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def binder(core: int) -> Callable[[], None]:
    """Return what binds a child to a core; on a machine that has not so many it binds to nothing."""

    def bind() -> None:
        if hasattr(os, "sched_setaffinity") and core in os.sched_getaffinity(0):
            os.sched_setaffinity(0, {core})

    return bind


def _lua(load: Load) -> str:
    # JSON's quoting of ASCII text is Lua's, but for \u, which is why the rest stays as it is.
    def quoted(text: str) -> str:
        return json.dumps(text, ensure_ascii=False)

    headers = dict(load.headers)
    if not load.keep_alive:
        headers["Connection"] = "close"
    lines = [f"wrk.method = {quoted(load.method)}"]
    lines += [f"wrk.headers[{quoted(name)}] = {quoted(value)}" for name, value in headers.items()]
    if load.vary:
        lines += [
            "local count = 0",
            f"local path, body = {quoted(load.path)}, {quoted(load.body)}",
            "request = function()",
            f"  count = (count + 1) % {load.vary}",
            f"  local number = string.format('%d', count + {load.first})",
            "  return wrk.format(nil, (path:gsub('%%d', number)), nil, (body:gsub('%%d', number)))",
            "end",
        ]
    else:
        lines.append(f"wrk.path = {quoted(load.path)}")
        if load.body:
            lines.append(f"wrk.body = {quoted(load.body)}")
    return "\n".join(lines) + "\n"


def _parse(output: str) -> Measured:
    def number(pattern: str) -> float:
        found = re.search(pattern, output)
        return float(found[1]) if found else 0.0

    latency = {
        int(percent): float(value) * _UNITS[unit]
        for percent, value, unit in re.findall(r"^\s+(\d+)%\s+([\d.]+)(us|ms|s|m|h)$", output, re.M)
    }
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output)
    return Measured(
        rate=number(r"Requests/sec:\s+([\d.]+)"),
        latency=latency,
        requests=int(number(r"(\d+) requests in")),
        wrong=int(number(r"Non-2xx or 3xx responses: (\d+)")),
        socket_errors=sum(map(int, errors.groups())) if errors else 0,
    )


def main() -> None:
    """Compare the HTTP door with a bare one."""
    here = Path(__file__).parent / "http_constant.py"
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    update = Load(
        method="PUT",
        path="/v2/feeds/504.json",
        headers={"X-ApiKey": "k" * 48, "Content-Type": "application/json"},
        body='{"version":"1.0.0","datastreams":[{"id":"0","current_value":"21.5"},'
        '{"id":"1","current_value":"48"}]}',
        seconds=seconds,
    )
    loads = {
        "32 connections": update,
        "256 connections": attrs.evolve(update, connections=256),
        "connection each": attrs.evolve(update, keep_alive=False),
    }
    loads["lengths vary"] = attrs.evolve(update, vary=2000, body=update.body.replace("21.5", "%d.5"))
    for what, load in loads.items():
        bare: Measured | None = None
        for name, flags in {
            "bare": ["--bare"],
            "bare transport": ["--bare-transport"],
            "http": [],
            "http, later": ["--later"],
        }.items():
            if not load.keep_alive and name.startswith("bare"):
                continue  # the bare one never closes
            with Server([str(here), *flags]) as server:
                try:
                    measured = run_wrk(server.url, load, server=server)
                except NoLoadGenerator as missing:
                    print(missing)
                    return
            if name == "bare":
                bare = measured
            ratio = ""
            if bare is not None:
                ratio = f"  {measured.rate / bare.rate:5.2f} of bare"
                if bare.cpu and measured.cpu:
                    # Holds also while something else keeps the processors busy.
                    ratio += f", {bare.cpu / bare.requests * measured.requests / measured.cpu:5.2f} by cpu"
            print(f"{what:16} {name:16} {measured}{ratio}", flush=True)


if __name__ == "__main__":
    main()
