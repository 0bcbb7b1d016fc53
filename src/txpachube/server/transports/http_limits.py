"""
How much the HTTP door takes, and how long it waits.

Every number has its reason beside it. All of them can be changed by handing other `Limits` to the
factory; none can be switched off.
"""

from __future__ import annotations

import attrs

__all__ = ["Limits"]


@attrs.frozen(kw_only=True)
class Limits:
    """
    The limits of one HTTP listener.

    Times are in seconds and kept to within two of `sweep_interval`: never early, a little late.

    Attributes:
        target_bytes: length of the request target. History queries that name many datastreams are
            the longest that old programs send, a few hundred bytes; 8000 is what proxies let through.
        head_bytes: request line and header block together. Browsers send up to 8 KiB with cookies.
        header_count: header lines of one request, also against many small ones that hash alike.
        body_bytes: length of a body after chunked coding was removed. 500 datapoints in XML are 60 KiB.
        held_bytes: what may wait unread behind a request that is being answered, before the socket
            is not read any more and TCP tells the client to wait.
        idle_timeout: between two requests of a connection. Devices that report once a minute keep theirs.
        head_timeout: from the first byte of a request to the end of its head. Sketches that print
            byte by byte over GPRS need tens of seconds.
        body_timeout: from the end of the head to the end of the body ...
        body_rate: ... and one more second for so many bytes that did come.
        write_timeout: without any progress in sending an answer, and for the last bytes of a
            connection that is being closed.
        linger_timeout: how long input is thrown away after an error was answered, so that a client which is
            still sending reads the answer instead of a connection reset.
        linger_bytes: how much input is thrown away then.
        connections: open at a time; each costs about 10 KiB.
        sweep_interval: time between two looks at all connections for any that waited too long.
    """

    target_bytes: int = 8000
    head_bytes: int = 16 * 1024
    header_count: int = 100
    body_bytes: int = 1024 * 1024
    held_bytes: int = 64 * 1024
    idle_timeout: float = 120.0
    head_timeout: float = 60.0
    body_timeout: float = 60.0
    body_rate: int = 512
    write_timeout: float = 60.0
    linger_timeout: float = 5.0
    linger_bytes: int = 8 * 1024 * 1024
    connections: int = 10_000
    sweep_interval: float = 1.0
