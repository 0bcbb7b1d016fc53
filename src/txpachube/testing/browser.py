"""
A real browser, for tests of pages.

Chromium runs without a window, in a profile of its own that is thrown away, and is steered through its
DevTools protocol; nothing but the program itself is needed (``apt-get install chromium``)::

    with Browser(tmp_path) as browser:
        page = browser.open("file:///somewhere/page.html#feed=504")
        page.until("document.title === 'Greenhouse'")

Everything blocks until it is done, so in a test with a reactor it belongs into a thread.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from threading import Thread, Timer
from types import TracebackType
from typing import Any, Final, Self
from urllib.request import Request, urlopen

from websockets.sync.client import ClientConnection, connect

__all__ = ["Browser", "BrowserNotReady", "Page", "PageFailed", "find_browser"]

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""What the program may be called."""

START_TIMEOUT: Final = 60.0
"""Seconds until the browser must be ready: it takes one, on a slow and busy machine many."""

END_TIMEOUT: Final = 10.0
"""Seconds until it must be gone when it was told to."""

PATIENCE: Final = 30.0
"""Seconds until a page must have done what is waited for."""

_READY: Final = "DevTools listening on "


class BrowserNotReady(Exception):
    """The browser ended, or was ended, before it was ready; the text is what it said."""


class PageFailed(Exception):
    """A script failed; the text is what the browser says about it."""


def find_browser() -> str | None:
    """Return where a browser is; None when there is none here."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """
    A browser, for as long as a ``with`` block lasts.

    Args:
        folder: an empty directory for its profile.
        program: see `find_browser`.

    Raises:
        BrowserNotReady: there is none, or it does not work.
    """

    def __init__(self, folder: Path, program: str | None = None) -> None:
        self._folder = folder
        self._program = program or find_browser()
        self._process: subprocess.Popen[str] | None = None
        self._listening: Thread
        self._address = ""
        self._lines = ExitStack()

    def __enter__(self) -> Self:
        if self._program is None:
            raise BrowserNotReady("there is no browser here (apt-get install chromium)")
        command = [
            self._program,
            *("--headless=new", "--disable-gpu", "--no-first-run", "--disable-extensions"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            # As the superuser, and in many containers, it has no sandbox; what it shows are our own pages.
            *("--no-sandbox", "--disable-dev-shm-usage"),
            *("--remote-debugging-port=0", f"--user-data-dir={self._folder}", "about:blank"),
        ]
        process = self._process = subprocess.Popen(  # noqa: S603 - a program of this machine
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        alarm = Timer(START_TIMEOUT, process.kill)
        alarm.start()
        said = ""
        try:
            for line in process.stderr:
                said += line
                if line.startswith(_READY):
                    self._address = line.removeprefix(_READY).split("/")[2]
                    # It goes on talking, and would stop if nobody listened.
                    self._listening = Thread(target=process.stderr.read)
                    self._listening.start()
                    return self
        finally:
            alarm.cancel()
        process.kill()
        process.wait()
        process.stderr.close()
        raise BrowserNotReady(said)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        process = self._process
        assert process is not None
        assert process.stderr is not None
        process.terminate()
        try:
            process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._listening.join(END_TIMEOUT)
        process.stderr.close()

    def open(self, url: str) -> Page:
        """Open a page and return it when it is loaded."""
        made = urlopen(Request(f"http://{self._address}/json/new", method="PUT"), timeout=PATIENCE)
        line = self._lines.enter_context(connect(json.load(made)["webSocketDebuggerUrl"], max_size=None))
        page = Page(line)
        page.go(url)
        return page


class Page:
    """A page of a `Browser`, open as long as that is."""

    def __init__(self, line: ClientConnection) -> None:
        self._line = line
        self._numbers = count()

    def go(self, url: str) -> None:
        """Go to an address; return when the page is loaded."""
        self.order("Page.navigate", url=url)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def evaluate(self, script: str) -> Any:
        """
        Return what an expression of the page's script language gives; a promise is waited for.

        Raises:
            PageFailed: it threw an exception.
        """
        given = self.order("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in given:
            raise PageFailed(given["exceptionDetails"].get("exception", given).get("description", given))
        return given["result"].get("value")

    def until(self, condition: str) -> None:
        """
        Return when an expression is true.

        Raises:
            PageFailed: it does not come true.
        """
        looking = f"""new Promise((done, failed) => {{
            const begun = performance.now();
            (function look() {{
                if ({condition}) done();
                else if (performance.now() - begun > {PATIENCE * 1000}) failed(new Error("never so"));
                else setTimeout(look, 10);
            }})();
        }})"""
        self.evaluate(looking)

    def picture(self, path: Path) -> None:
        """Write what the page looks like into a PNG file."""
        from base64 import b64decode  # noqa: PLC0415 - for people who look for what is wrong

        path.write_bytes(b64decode(self.order("Page.captureScreenshot")["data"]))

    def order(self, method: str, **parameters: Any) -> dict[str, Any]:
        """
        Give an order of the DevTools protocol and return its result.

        Raises:
            PageFailed: it was refused.
        """
        number = next(self._numbers)
        self._line.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._line.recv(timeout=2 * PATIENCE))
            if message.get("id") == number:
                break
        if "error" in message:
            raise PageFailed(f"{method}: {message['error']['message']}")
        result: dict[str, Any] = message["result"]
        return result
