"""
The API described for programs: an OpenAPI 3.1 document, made of the route table.

It is a function of the routes that are served and of what `parameters`, `openapi_answers`, `openapi_bodies`
and `openapi_operations` say of them; nothing of it is written twice. Paths are those without an extension,
since the headers ``Accept`` and ``Content-Type`` choose the format; only what no header can ask for has one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from txpachube.api.negotiation import CONTENT_TYPES, JAVASCRIPT
from txpachube.api.openapi_answers import ANSWERS
from txpachube.api.openapi_bodies import BODIES
from txpachube.api.openapi_operations import Endpoint, endpoints, statuses
from txpachube.api.openapi_parts import TEXT, Schema, Shape, ref
from txpachube.api.parameters import CALLBACK, PATH, Parameter
from txpachube.api.routes import Route

__all__ = ["VERSION", "document"]

VERSION: Final = "3.1.0"
"""Of OpenAPI."""

_SENT_AS: Final = {"json": "application/json", "xml": "application/xml", "csv": "text/csv"}
_ANSWERED_AS: Final = {kind: content_type.partition(";")[0] for kind, content_type in CONTENT_TYPES.items()}
_WRAPPED_AS: Final = JAVASCRIPT.partition(";")[0]

_INTRODUCTION: Final = """\
Feeds are places or devices, datastreams are their sensors, datapoints are values at a time.

- A path may end in `.json`, `.xml` or `.csv`, which names the format of the request and of the answer and \
counts more than any header. Without one, `Accept` and `Content-Type` decide, and then it is JSON; in \
version 1, XML.
- What is below `/v2` is below `/api/v2` too, and what is below `/v1` below `/api`. `HEAD` works wherever \
`GET` does, and `OPTIONS` everywhere.
- `POST` with `_method=put` or `_method=delete` in the query, or with `X-HTTP-Method-Override`, stands for \
these methods.
- What is sent may be packed with gzip, and so is what is answered, if the client says so.
- Unknown query parameters are ignored. Reading is lenient: described is what is meant to be sent.
"""

_STATUSES: Final = {
    400: ("BadRequest", "The request, its body or a parameter cannot be read."),
    401: ("Unauthorized", "There is no key, or none that is known, or it has expired."),
    403: ("Forbidden", "The key may not do this, or has made too many requests."),
    404: ("NotFound", "There is no such thing."),
    406: ("NotAcceptable", "There is no such format of this."),
    408: ("RequestTimeout", "The request was not complete in time."),
    413: ("PayloadTooLarge", "The body is too large."),
    414: ("URITooLong", "The path and the query are too long."),
    422: ("UnprocessableEntity", "The body can be read, and is not valid."),
    431: ("RequestHeaderFieldsTooLarge", "The headers are too large."),
    500: ("InternalServerError", "The service is wrong."),
    503: (
        "ServiceUnavailable",
        "The service cannot do it now, and nothing of it was stored; in version 1 also: too many requests.",
    ),
}

_HEADERS: Final[Schema] = {
    "ETag": {"schema": TEXT, "description": "Of this very body; send it back in `If-None-Match`."},
    "LastModified": {"schema": TEXT, "description": "When the feed changed last."},
    "Location": {
        "schema": {"type": "string", "format": "uri"},
        "required": True,
        "description": "The URL of what was made.",
    },
    "WWWAuthenticate": {"schema": TEXT, "description": "Where HTTP Basic was tried."},
}

_SECURITY: Final[Schema] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-ApiKey"},
    "PachubeApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-PachubeApiKey",
        "description": "The header's first name.",
    },
    "KeyParameter": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "For what cannot send headers, such as an image in a page.",
    },
    "Account": {
        "type": "http",
        "scheme": "basic",
        "description": "An account's login and password, which stand for its master key; or a key as login.",
    },
}

_TAGS: Final = {
    "feeds": "Places or devices.",
    "datastreams": "The sensors of a feed.",
    "datapoints": "Values at a time.",
    "keys": "What programs and devices show to be allowed something.",
    "triggers": "Webhooks that are sent when a value fulfils a condition.",
    "users": "Accounts.",
    "products": "Kinds of devices.",
    "devices": "Devices of a product, which activate themselves.",
    "version 1": "For devices made before 2011: EEML 5, JSON 0.6-alpha and lines of bare values.",
    "beside the API": "What stood on the old web host, and what this service adds.",
}


def document(routes: Iterable[Route], base: str) -> dict[str, Any]:
    """
    Return the description of an API that serves certain routes.

    Args:
        routes: which ones.
        base: the address of the service, ``https://api.example``.
    """
    described = list(endpoints(routes))
    paths: dict[str, Schema] = {}
    for endpoint in described:
        paths.setdefault(endpoint.path, {})[endpoint.route.method.lower()] = _operation(endpoint)
    tags = dict.fromkeys(_tag(endpoint.route) for endpoint in described)
    return {
        "openapi": VERSION,
        "info": {
            "title": "Pachube / Cosm / Xively API",
            "version": "2",
            "summary": "The v2 API, and the version before it.",
            "description": _INTRODUCTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base}],
        "security": [{name: []} for name in _SECURITY],
        "tags": [{"name": name, "description": _TAGS[name]} for name in tags],
        "paths": paths,
        "components": {
            "schemas": dict(_schemas(paths)),
            "parameters": {
                parameter.key: _parameter(parameter, "query")
                for endpoint in described
                for parameter in (*endpoint.query, CALLBACK)
            },
            "responses": {name: _failure(status) for status, (name, _) in _STATUSES.items()},
            "headers": _HEADERS,
            "securitySchemes": _SECURITY,
        },
    }


def _tag(route: Route) -> str:
    if not route.version or route.ours:
        return "beside the API"
    if route.version == 1:
        return "version 1"
    resource = route.name.partition(".")[0]
    return resource if resource.endswith("s") else f"{resource}s"


def _operation(endpoint: Endpoint) -> Schema:
    said = endpoint.operation
    found: Schema = {"operationId": endpoint.id, "summary": said.summary, "tags": [_tag(endpoint.route)]}
    parameters = list(_parameters(endpoint))
    if parameters:
        found["parameters"] = parameters
    if said.body:
        content = {
            _SENT_AS[kind]: {"schema": _in_format(said.body, BODIES[said.body], kind)}
            for kind in endpoint.formats
        }
        found["requestBody"] = {"required": True, "content": content}
    found["responses"] = {str(status): _response(endpoint, status) for status in statuses(endpoint)}
    if said.open_to_all:
        found["security"] = [{}, *({name: []} for name in _SECURITY)]
    return found


def _parameters(endpoint: Endpoint) -> Iterator[Schema]:
    for segment in endpoint.route.template.split("/"):
        if segment.startswith("{"):
            yield _parameter(PATH[segment.strip("{}")], "path")
    for parameter in endpoint.query:
        yield {"$ref": f"#/components/parameters/{parameter.key}"}
    if endpoint.route.method == "GET" and "json" in endpoint.formats:
        yield {"$ref": f"#/components/parameters/{CALLBACK.key}"}


def _parameter(parameter: Parameter, place: str) -> Schema:
    found: Schema = {"name": parameter.name, "in": place}
    if place == "path":
        found["required"] = True
    return {**found, "description": parameter.description, "schema": parameter.schema}


def _in_format(name: str, shape: Shape, kind: str) -> Schema:
    if kind == "json":
        return ref(name)
    if kind in ("xml", "csv"):
        return {"type": "string", "description": shape.xml if kind == "xml" else shape.csv}
    if kind == "svg":
        return TEXT
    return {"type": "string", "contentMediaType": _ANSWERED_AS[kind]}


def _response(endpoint: Endpoint, status: int) -> Schema:
    if status not in (200, 201):
        if status == 304:
            return {"description": "It has not changed since the client asked last."}
        if status == 503 and endpoint.operation.tells_why_not:
            return {"description": _STATUSES[status][1], "content": dict(_contents(endpoint))}
        return {"$ref": f"#/components/responses/{_STATUSES[status][0]}"}
    said = endpoint.operation
    found: Schema = {"description": "It is made." if status == 201 else "It is done."}
    headers = []
    if endpoint.route.method == "GET":
        found["description"] = "Here it is."
        found["content"] = dict(_contents(endpoint))
        headers.append("ETag")
    if said.dated:
        headers.append("LastModified")
    if said.located:
        headers.append("Location")
    if headers:
        found["headers"] = {_header(name): {"$ref": f"#/components/headers/{name}"} for name in headers}
    return found


def _header(name: str) -> str:
    return {"LastModified": "Last-Modified", "WWWAuthenticate": "WWW-Authenticate"}.get(name, name)


def _contents(endpoint: Endpoint) -> Iterator[tuple[str, Schema]]:
    name = endpoint.operation.answer
    for kind in endpoint.formats:
        yield _ANSWERED_AS[kind], {"schema": _in_format(name, ANSWERS.get(name, Shape({})), kind)}
        if kind == "json":
            yield _WRAPPED_AS, {"schema": {"type": "string", "description": "With `callback`."}}


def _failure(status: int) -> Schema:
    error = ANSWERS["Error"]
    content = {_ANSWERED_AS[kind]: {"schema": _in_format("Error", error, kind)} for kind in _SENT_AS}
    content[_WRAPPED_AS] = {"schema": {"type": "string", "description": "With `callback`."}}
    found: Schema = {"description": _STATUSES[status][1], "content": content}
    if status == 401:
        found["headers"] = {"WWW-Authenticate": {"$ref": "#/components/headers/WWWAuthenticate"}}
    return found


def _schemas(paths: Mapping[str, Schema]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the schemas that are referred to, from the paths or from each other, with their names."""
    shapes = {**ANSWERS, **BODIES}
    used = {"Error": None, **dict.fromkeys(_references(paths))}
    pending = list(used)
    while pending:
        new = [name for name in _references(shapes[pending.pop(0)].json) if name not in used]
        used.update(dict.fromkeys(new))
        pending += new
    for name, shape in shapes.items():
        if name in used:
            yield name, shape.json


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        target = part.get("$ref")
        if isinstance(target, str) and target.startswith("#/components/schemas/"):
            yield target.rpartition("/")[2]
        for inner in part.values():
            yield from _references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _references(inner)
