"""The route table, read in both directions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api import routes
from txpachube.api.routes import EXTENSIONS, ROUTES, Route, build, match
from txpachube.errors import InvalidValue

BY_NAME = {route.name: route for route in ROUTES}
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def parameters_of(route: Route) -> list[str]:
    """The names in a template's braces, in order."""
    return [part[1:-1] for part in route.template.split("/") if part.startswith("{")]


def looks_like_extension(text: str, route: Route) -> bool:
    """Whether a reader of the path would take the end of this id for an extension."""
    stem, dot, ending = text.rpartition(".")
    return bool(dot and stem) and (ending in EXTENSIONS or (ending == "svg" and ending in route.formats))


EXPECTED = [
    ("GET", "/v2/feeds", "feeds.list", {}),
    ("POST", "/v2/feeds", "feeds.create", {}),
    ("GET", "/v2/feeds/504", "feeds.read", {"feed_id": "504"}),
    ("PUT", "/v2/feeds/504", "feeds.update", {"feed_id": "504"}),
    ("DELETE", "/v2/feeds/504", "feeds.delete", {"feed_id": "504"}),
    ("GET", "/v2/feeds/504/datastreams", "datastreams.list", {"feed_id": "504"}),
    ("POST", "/v2/feeds/504/datastreams", "datastreams.create", {"feed_id": "504"}),
    ("GET", "/v2/feeds/504/datastreams/t", "datastreams.read", {"feed_id": "504", "datastream_id": "t"}),
    ("PUT", "/v2/feeds/504/datastreams/t", "datastreams.update", {"feed_id": "504", "datastream_id": "t"}),
    ("DELETE", "/v2/feeds/504/datastreams/t", "datastreams.delete", {"feed_id": "504", "datastream_id": "t"}),
    (
        "GET",
        "/v2/feeds/5/datastreams/t/datapoints",
        "datapoints.list",
        {"feed_id": "5", "datastream_id": "t"},
    ),
    (
        "POST",
        "/v2/feeds/5/datastreams/t/datapoints",
        "datapoints.create",
        {"feed_id": "5", "datastream_id": "t"},
    ),
    (
        "DELETE",
        "/v2/feeds/5/datastreams/t/datapoints",
        "datapoints.delete_range",
        {"feed_id": "5", "datastream_id": "t"},
    ),
    (
        "GET",
        "/v2/feeds/5/datastreams/t/datapoints/2010-07-28T07:48:22Z",
        "datapoint.read",
        {"feed_id": "5", "datastream_id": "t", "at": "2010-07-28T07:48:22Z"},
    ),
    ("GET", "/v2/keys", "keys.list", {}),
    ("POST", "/v2/keys/abc/regenerate", "keys.regenerate", {"key": "abc"}),
    ("PUT", "/v2/triggers/14", "triggers.update", {"trigger_id": "14"}),
    ("DELETE", "/v2/users/rosa", "users.delete", {"login": "rosa"}),
    ("POST", "/v2/products", "products.create", {}),
    ("GET", "/v2/products/p/devices/abc:1", "devices.read", {"product_id": "p", "serial": "abc:1"}),
    ("GET", "/v2/devices/7b85/activate", "devices.activate", {"activation_code": "7b85"}),
]


@pytest.mark.parametrize(("method", "path", "name", "parameters"), EXPECTED)
def test_path_leads_to_its_route(method: str, path: str, name: str, parameters: dict[str, str]) -> None:
    """A documented path is understood, with its parameters."""
    found = match(method, path)
    assert found.route is BY_NAME[name]
    assert found.parameters == parameters
    assert (found.version, found.extension) == (2, None)


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize(("method", "path", "name", "parameters"), EXPECTED)
def test_extension_is_taken_off(
    method: str, path: str, name: str, parameters: dict[str, str], extension: str
) -> None:
    """Every path, collections too, may end in an extension that names a format."""
    found = match(method, f"{path}.{extension}")
    assert found.route is BY_NAME[name]
    assert found.parameters == parameters
    assert found.extension == extension
    assert found.verbatim == path.rpartition("/")[2] + "." + extension


def test_svg_is_taken_off_where_a_datastream_is_read() -> None:
    """There it names a format; everywhere else it belongs to the id."""
    found = match("GET", "/v2/feeds/504/datastreams/t.1.svg")
    assert (found.parameters["datastream_id"], found.extension, found.verbatim) == ("t.1", "svg", "t.1.svg")
    assert found.without_extension().parameters["datastream_id"] == "t.1.svg"
    for method, path, parameter, text in (
        ("GET", "/v2/feeds/504/datastreams/.svg", "datastream_id", ".svg"),
        ("GET", "/v2/feeds/504/datastreams/svg", "datastream_id", "svg"),
        ("GET", "/v2/feeds/504/datastreams/t.svg.json", "datastream_id", "t.svg"),
        ("PUT", "/v2/feeds/504/datastreams/t.svg", "datastream_id", "t.svg"),
        ("DELETE", "/v2/feeds/504/datastreams/t.svg", "datastream_id", "t.svg"),
        ("GET", "/v2/users/rosa.svg", "login", "rosa.svg"),
    ):
        found = match(method, path)
        assert found.parameters[parameter] == text
        assert found.extension in (None, "json")


OLD = [
    ("GET", "/v1/feeds.json", "feeds.list.v1", {}, "json"),
    ("POST", "/api/feeds", "feeds.create.v1", {}, None),
    ("GET", "/v1/feeds/504", "feeds.read.v1", {"feed_id": "504"}, None),
    ("PUT", "/api/feeds/504.xml", "feeds.update.v1", {"feed_id": "504"}, "xml"),
    ("GET", "/api.xml", "feeds.list.web", {}, "xml"),
    ("POST", "/api.xml", "feeds.create.web", {}, "xml"),
    ("POST", "/api/", "feeds.create.web", {}, None),
    ("GET", "/api/504.csv", "feeds.read.web", {"feed_id": "504"}, "csv"),
    ("PUT", "/api/504.csv", "feeds.update.web", {"feed_id": "504"}, "csv"),
    ("DELETE", "/api/504", "feeds.delete.web", {"feed_id": "504"}, None),
    (
        "PUT",
        "/v1/feeds/5/datastreams/0.csv",
        "datastreams.update.v1",
        {"feed_id": "5", "datastream_id": "0"},
        "csv",
    ),
    (
        "GET",
        "/feeds/5/datastreams/t.x/history.csv",
        "datastreams.history",
        {"feed_id": "5", "datastream_id": "t.x"},
        "csv",
    ),
    (
        "GET",
        "/feeds/5/datastreams/t/archive.csv",
        "datastreams.archive",
        {"feed_id": "5", "datastream_id": "t"},
        "csv",
    ),
    ("POST", "/api/triggers.xml", "triggers.create.v1", {}, "xml"),
    ("DELETE", "/v1/triggers/14", "triggers.delete.v1", {"trigger_id": "14"}, None),
    ("GET", "/crossdomain.xml", "crossdomain.read", {}, "xml"),
]


@pytest.mark.parametrize(("method", "path", "name", "parameters", "extension"), OLD)
def test_old_paths_lead_to_their_routes(
    method: str, path: str, name: str, parameters: dict[str, str], extension: str | None
) -> None:
    """Version 1 stands below /v1 and, on the old web host, below /api; some pages stand below nothing."""
    found = match(method, path)
    assert found.route is BY_NAME[name]
    assert found.parameters == parameters
    assert found.extension == extension
    assert found.version == (1 if name.endswith((".v1", ".web")) else 2)


def test_names_and_places_are_unique() -> None:
    """No two routes share a name, nor a method and a path."""
    assert len(BY_NAME) == len(ROUTES)
    assert len({(route.method, route.version, route.template) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize(
    "path",
    ["//v2/feeds/7021", "/v2//feeds///7021", "/v2/feeds/7021/", "/v2/feeds/7021//", "/api/v2/feeds/7021"],
)
def test_slashes_and_the_mount_point_do_not_matter(path: str) -> None:
    """Doubled slashes count as one, a last one as none, and /api/v2 is /v2."""
    found = match("GET", path)
    assert found.route is BY_NAME["feeds.read"]
    assert found.parameters == {"feed_id": "7021"}


def test_collection_takes_trailing_slash() -> None:
    """A known client asks for ``datastreams/``."""
    assert match("GET", "/v2/feeds/1/datastreams/").route is BY_NAME["datastreams.list"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/feeds/121601.csv"),
        ("PATCH", "/v2/feeds/1"),
        ("get", "/v2/feeds"),
        ("GET", "/v2"),
        ("GET", "/v2/nothing"),
        ("GET", "/v2/feeds/1/datastreams/2/datapoints/3/4"),
        ("GET", "/feeds/1"),
        ("GET", "/"),
        ("GET", ""),
        ("GET", "/.json"),
        ("GET", "/api/v2"),
        ("POST", "/v2/crossdomain.xml"),
        ("GET", "/v2/feeds/1/datastreams/t/history.csv"),
        ("GET", "/v1/feeds/1/datastreams/0/datapoints"),
        ("PUT", "/api"),
        ("POST", "/v2/keys/a/regenerated"),
        ("GET", "/v2/keys/a/regenerate"),
    ],
)
def test_unknown_path_or_method_has_no_route(method: str, path: str) -> None:
    """A path nobody serves, or not with this method, is a match without a route."""
    assert match(method, path).route is None


def test_missing_route_still_tells_the_extension() -> None:
    """The answer "No route matches" is written in the format the path asked for."""
    found = match("POST", "/v2/feeds/121601.csv")
    assert (found.route, found.extension) == (None, "csv")


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/v1/feeds/1", 1),
        ("/v1/x/y", 1),
        ("/api/1.csv", 1),
        ("/api.xml", 1),
        ("/api/v2/x", 2),
        ("/v2/x", 2),
        ("/x", 2),
    ],
)
def test_version_is_known_from_the_prefix(path: str, version: int) -> None:
    """The prefix decides the version, also where there is no route."""
    assert match("GET", path).version == version


@pytest.mark.parametrize(
    ("segment", "datastream_id", "extension"),
    [
        ("temp.1", "temp.1", None),
        ("temp.1.json", "temp.1", "json"),
        ("temp.JSON", "temp.JSON", None),
        ("temp.html", "temp.html", None),
        (".json", ".json", None),
        ("a.csv.xml", "a.csv", "xml"),
        ("a+b", "a+b", None),
        ("a%2Bb%20c", "a+b c", None),
        ("a%2Fb.json", "a/b", "json"),
        ("%C3%BC", "ü", None),
        ("%FF", "\N{REPLACEMENT CHARACTER}", None),
        ("100%", "100%", None),
        ("temp%2Ejson", "temp", "json"),
    ],
)
def test_last_segment(segment: str, datastream_id: str, extension: str | None) -> None:
    """Only a known extension is taken off an id, and escapes are decoded after the path was split."""
    found = match("GET", f"/v2/feeds/1/datastreams/{segment}")
    assert found.parameters["datastream_id"] == datastream_id
    assert found.extension == extension


def test_fraction_of_a_time_is_no_extension() -> None:
    """A timestamp has a dot of its own before its fraction."""
    found = match("GET", "/v2/feeds/1/datastreams/0/datapoints/2010-07-28T07:48:22.014326Z.json")
    assert found.parameters["at"] == "2010-07-28T07:48:22.014326Z"
    assert found.extension == "json"


def test_id_that_ends_like_an_extension_can_be_preferred() -> None:
    """When a datastream is called ``a.csv``, its path without an extension can be read as that."""
    found = match("GET", "/v2/feeds/1/datastreams/a.csv").without_extension()
    assert found.parameters == {"feed_id": "1", "datastream_id": "a.csv"}
    assert found.extension is None


@pytest.mark.parametrize("path", ["/v2/feeds.json", "/v2/nothing.json", "/v2/feeds/1/datastreams/a"])
def test_only_an_id_can_swallow_the_extension(path: str) -> None:
    """Where the last segment is no parameter, or has no extension, there is nothing to prefer."""
    found = match("GET", path)
    assert found.without_extension() is found


def test_match_is_remembered_but_not_for_endless_paths() -> None:
    """The same path gives the same object; a very long one does not stay in memory."""
    assert match("GET", "/v2/feeds/77.json") is match("GET", "/v2/feeds/77.json")
    before = routes._remembered_match.cache_info().currsize
    long = "/v2/feeds/1/datastreams/" + "x" * routes.MAX_REMEMBERED_LENGTH
    assert match("GET", long).parameters["datastream_id"] == "x" * routes.MAX_REMEMBERED_LENGTH
    assert routes._remembered_match.cache_info().currsize == before


def test_key_in_a_path_is_not_shown() -> None:
    """A match can be logged: the key that stands in the path of a key does not appear."""
    assert "S0meKey" not in repr(match("GET", "/v2/keys/S0meKey"))


@given(st.data())
def test_what_is_built_is_matched(data: st.DataObject) -> None:
    """The path built for any ids leads back to the same route and the same ids."""
    route = data.draw(st.sampled_from(ROUTES))
    extension = data.draw(st.sampled_from([None, *EXTENSIONS]))
    parameters = {name: data.draw(IDS, label=name) for name in parameters_of(route)}
    path = build(route.name, extension=extension, **parameters)
    assert path.isascii()
    found = match(route.method, path)
    assert found.route is route
    last = next(reversed(parameters.values()), "")
    if extension is None and route.template.endswith("}") and looks_like_extension(last, route):
        found = found.without_extension()
    assert found.parameters == parameters
    assert found.extension == extension


def test_built_path_reads_well() -> None:
    """Times keep their colons; the plus of an offset is escaped, since some readers make it a blank."""
    path = build(
        "datapoint.read",
        extension="json",
        feed_id=504,
        datastream_id="temp",
        at="2013-06-01T10:00:00.5+02:00",
    )
    assert path == "/v2/feeds/504/datastreams/temp/datapoints/2013-06-01T10:00:00.5%2B02:00.json"


@pytest.mark.parametrize("datastream_id", [".", ".."])
def test_dots_are_not_steps_in_the_path(datastream_id: str) -> None:
    """Deleting the datastream ``..`` must not become deleting its feed on the way."""
    path = build("datastreams.delete", feed_id=1, datastream_id=datastream_id)
    assert "/." not in path
    assert match("DELETE", path).parameters["datastream_id"] == datastream_id


def test_empty_parameter_is_refused() -> None:
    """An empty id would make the path that of the whole collection."""
    with pytest.raises(InvalidValue, match="feed_id"):
        build("feeds.delete", feed_id="")


@pytest.mark.parametrize("parameters", [{}, {"feed_id": 1, "at": "x"}, {"id": 1}])
def test_wrong_parameters_are_refused(parameters: dict[str, str | int]) -> None:
    """A route is built from its own parameters, neither more nor less."""
    with pytest.raises(TypeError, match=r"feeds\.read takes \['feed_id'\]"):
        build("feeds.read", extension=None, **parameters)


def test_unknown_route_is_refused() -> None:
    """A name that is not in the table is a mistake of the program."""
    with pytest.raises(KeyError):
        build("feeds.paint")
