"""gzip in both directions."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api.problems import Problem
from txpachube.server.packing import MAX_UNPACKED, accepts_gzip, pack, unpack


@given(st.binary(max_size=5000))
def test_what_is_packed_unpacks_to_the_same(body: bytes) -> None:
    """A packed body is gzip that anybody reads, and reads back as it was."""
    assert gzip.decompress(pack(body)) == body
    assert unpack(pack(body), "gzip") == body


def test_packing_the_same_body_twice_gives_the_same_bytes() -> None:
    """No time gets into a packed body, so caches may compare it."""
    assert pack(b"x" * 5000) == pack(b"x" * 5000)


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_a_body_without_coding_stays_as_it_is(coding: str) -> None:
    """No coding, or the one that means none, leaves a body alone."""
    assert unpack(b"as it is", coding) == b"as it is"


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP "])
def test_gzip_has_several_names(coding: str) -> None:
    """The old name of gzip and capitals are understood."""
    assert unpack(gzip.compress(b"21.5"), coding) == b"21.5"


def test_several_members_are_one_body() -> None:
    """A gzip file may be made of several ones, joined."""
    assert (
        unpack(gzip.compress(b"temp,") + gzip.compress(b"") + gzip.compress(b"21.5"), "gzip") == b"temp,21.5"
    )


@pytest.mark.parametrize("surplus", [b"\r\n", b"\0" * 100, b"\x1a"])
def test_padding_after_the_last_member_is_ignored(surplus: bytes) -> None:
    """Line ends and zeros behind a gzip file are no fault."""
    assert unpack(gzip.compress(b"21.5") + surplus, "gzip") == b"21.5"


@pytest.mark.parametrize(
    "body", [b"", b"21.5", gzip.compress(b"x")[:-1], gzip.compress(b"x") + b"\x1f\x8b\x08"]
)
def test_what_does_not_unpack_is_a_bad_request(body: bytes) -> None:
    """A body that is called gzip and isn't, or lacks its end, is refused."""
    with pytest.raises(Problem) as refused:
        unpack(body, "gzip")
    assert refused.value.status == 400


def test_the_unpacked_size_is_limited_to_the_byte() -> None:
    """Exactly the limit is taken, one byte more is not, in one member or in several."""
    most = b"x" * MAX_UNPACKED
    assert unpack(gzip.compress(most), "gzip") == most
    for body in (gzip.compress(most + b"x"), gzip.compress(most) + gzip.compress(b"x")):
        with pytest.raises(Problem) as refused:
            unpack(body, "gzip")
        assert refused.value.status == 413


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "gzip;q=1"])
def test_other_codings_are_refused(coding: str) -> None:
    """Only gzip is unpacked."""
    with pytest.raises(Problem) as refused:
        unpack(gzip.compress(b"x"), coding)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "header", ["gzip", "deflate, gzip", "GZip;q=0.5", "*", "identity;q=0.5, *;q=0.1", "x-gzip"]
)
def test_gzip_is_used_when_it_is_accepted(header: str) -> None:
    """An ``Accept-Encoding`` that names gzip or anything allows gzip."""
    assert accepts_gzip(header)


@pytest.mark.parametrize(
    "header", ["", "deflate", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0", "gzippy"]
)
def test_gzip_is_not_used_when_it_is_not_accepted(header: str) -> None:
    """No mention of gzip, or one with quality zero, forbids it."""
    assert not accepts_gzip(header)
