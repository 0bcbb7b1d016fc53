"""The texts that a failed request is answered with."""

from __future__ import annotations

import pytest

from txpachube.api import problems
from txpachube.api.problems import Problem


@pytest.mark.parametrize(
    ("problem", "status", "title", "errors"),
    [
        (
            problems.not_found(),
            404,
            "Not found",
            "I'm sorry we are unable to find the resource you are looking for.",
        ),
        (
            problems.not_found(problems.DEVICE_NOT_FOUND),
            404,
            "Not found",
            "I'm sorry we are unable to find the device you are looking for.",
        ),
        (
            problems.no_route("POST", "/v2/feeds/121601.csv"),
            404,
            "Not found",
            'No route matches [POST] "/api/v2/feeds/121601.csv"',
        ),
        (problems.broken_body("json", "why"), 400, "JSON Parser Error", "why"),
        (problems.broken_body("xml", "why"), 400, "XML Parser Error", "why"),
        (problems.broken_body("csv", "why"), 400, "CSV Parser Error", "why"),
        (problems.bad_request("why"), 400, "Bad Request", "why"),
        (
            problems.unauthorized(),
            401,
            "Unauthorized",
            "You must be authenticated to access this resource",
        ),
        (
            problems.forbidden(),
            403,
            "Forbidden",
            "You do not have permission to access that resource",
        ),
        (problems.forbidden("why"), 403, "Forbidden", "why"),
        (problems.not_acceptable("why"), 406, "Not Acceptable", "why"),
        (problems.payload_too_large(10), 413, "Payload Too Large", "The body may have at most 10 bytes"),
        (problems.unprocessable("a", "b"), 422, "Unprocessable Entity", ["a", "b"]),
        (
            problems.internal_error(),
            500,
            "Internal Server Error",
            "The service failed to answer this request",
        ),
        (problems.unavailable("why"), 503, "Service Unavailable", "why"),
    ],
)
def test_problem(problem: Problem, status: int, title: str, errors: str | list[str]) -> None:
    """Old programs search in these texts, so they stay as they are, byte for byte."""
    assert (problem.status, problem.title, problem.errors) == (status, title, errors)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/v2/x", "/api/v2/x"),
        ("/api/v2/x", "/api/v2/x"),
        ("/api", "/api"),
        ("/apiary", "/api/apiary"),
        ("/", "/api/"),
    ],
)
def test_unknown_path_is_shown_below_the_mount_point(path: str, shown: str) -> None:
    """The path stands there as the old service saw it, with ``/api`` in front once."""
    assert problems.no_route("GET", path).errors == f'No route matches [GET] "{shown}"'


def test_messages_are_always_a_list() -> None:
    """Formats that write one element per message need not care how many there are."""
    assert problems.bad_request("a").messages == ["a"]
    assert problems.unprocessable("a", "b").messages == ["a", "b"]


def test_problem_is_an_exception_that_tells_what_happened() -> None:
    """In a traceback the problem names its status and text."""
    with pytest.raises(Problem, match=r"403.*Forbidden"):
        raise problems.forbidden()
