"""Who may do what."""

from __future__ import annotations

from ipaddress import ip_network
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txpachube.api.messages import Request
from txpachube.api.problems import Problem
from txpachube.api.routes import ROUTES, Route
from txpachube.server import access
from txpachube.server.access import ALLOWED, FORBIDDEN, UNAUTHORIZED, Decision, Reach
from txpachube.server.storage.records import Feed, Key, Permission, Resource

ALL = ("get", "put", "post", "delete")
METHODS = ("GET", "PUT", "POST", "DELETE")
OWNER, OTHER = 1, 2
FEED, OTHER_FEED = 504, 505
NOW = 1_000_000


def key(*permissions: Permission, private: bool = True, owner: int = OWNER, text: str = "K1") -> Key:
    """A key with these permissions."""
    return Key(1, text, owner, "rosa", "label", private, permissions)


def permission(*methods: str, ip: str | None = None, **restrictions: object) -> Permission:
    """A permission for these methods, all when none is named."""
    network = None if ip is None else ip_network(ip, strict=False)
    return Permission(methods or ALL, source_ip=ip, source_network=network, **restrictions)  # type: ignore[arg-type]  # each test gives the right ones


def feed(private: bool = False, owner: int = OWNER, number: int = FEED) -> Feed:
    """A feed."""
    return Feed(number, owner, "rosa", private, {}, 0, 0)


def request(peer: str = "192.0.2.7", referer: str | None = None) -> Request:
    """A request that comes from there."""
    return Request("GET", "/v2/feeds/504", "", {} if referer is None else {"referer": referer}, b"", peer)


HERE = request()
ON_FEED = Resource(FEED)
ON_A = Resource(FEED, "a")
ON_B = Resource(FEED, "b")
ON_OTHER_FEED = Resource(OTHER_FEED)
ON_TRIGGER = Resource(None, None, 14)


@pytest.mark.parametrize(
    ("method", "own", "private_feed", "private_access"),
    list(product(METHODS, (True, False), (True, False), (True, False))),
)
def test_owner_and_privacy(method: str, own: bool, private_feed: bool, private_access: bool) -> None:
    """Public feeds are readable by all and writable by the owner; private ones need private access."""
    asking = key(permission(), private=private_access)
    asked = feed(private=private_feed, owner=OWNER if own else OTHER)
    by_others = method == "GET" and not private_feed
    expected = (private_access or not private_feed) if own else by_others
    for stream_id in (None, "a"):
        assert access.decide(asking, method, asked, HERE, stream_id) == (ALLOWED if expected else FORBIDDEN)


@pytest.mark.parametrize(("method", "granted"), list(product(METHODS, ALL)))
def test_method_must_be_granted(method: str, granted: str) -> None:
    """A permission for one method is none for another."""
    expected = ALLOWED if method.lower() == granted else FORBIDDEN
    assert access.decide(key(permission(granted)), method, feed(), HERE) == expected


@pytest.mark.parametrize("method", ["SUBSCRIBE", "UNSUBSCRIBE", "HEAD"])
def test_methods_that_count_as_reading(method: str) -> None:
    """Subscribing needs what reading needs."""
    assert access.decide(key(permission("get")), method, feed(), HERE).allowed
    assert not access.decide(key(permission("put", "post", "delete")), method, feed(), HERE).allowed
    assert access.decide(key(permission("get")), method, feed(owner=OTHER), HERE).allowed


def test_unknown_method_is_never_granted() -> None:
    """What is no method of the API needs no permission to be refused."""
    assert access.decide(key(permission()), "PATCH", feed(), HERE) == FORBIDDEN


def test_no_key() -> None:
    """Without a key nothing is allowed but the graph of a public feed."""
    assert access.decide(None, "GET", feed(), HERE) == UNAUTHORIZED
    assert access.decide(None, "GET", feed(), HERE, "a", graph=True) == ALLOWED
    assert access.decide(None, "GET", feed(private=True), HERE, "a", graph=True) == UNAUTHORIZED
    assert access.decide(None, "PUT", feed(), HERE, "a", graph=True) == UNAUTHORIZED


def test_key_without_permissions_may_do_nothing() -> None:
    """A key needs permissions."""
    assert access.decide(key(), "GET", feed(), HERE) == FORBIDDEN


def test_one_permission_is_enough() -> None:
    """A request is allowed if one of the permissions allows it; they don't add up."""
    asking = key(permission("get"), permission("put", ip="192.0.2.7"))
    assert access.decide(asking, "GET", feed(), request("198.51.100.1")) == ALLOWED
    assert access.decide(asking, "PUT", feed(), request("192.0.2.7")) == ALLOWED
    assert access.decide(asking, "PUT", feed(), request("198.51.100.1")) == FORBIDDEN


@pytest.mark.parametrize(
    ("source_ip", "peer", "allowed"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.70", False),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("192.0.2.7", "", False),
        ("192.0.2.7", "unix socket", False),
        ("192.0.2.0/24", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("2001:db8::1", "2001:0db8:0:0::0001", True),
        ("2001:db8::/32", "2001:db8:ffff::", True),
        ("2001:db8::/32", "192.0.2.7", False),
        ("192.0.2.7", "2001:db8::1", False),
    ],
)
def test_source_ip(source_ip: str, peer: str, allowed: bool) -> None:
    """A permission can be bound to an address or a network."""
    asking = key(permission(ip=source_ip))
    assert access.decide(asking, "GET", feed(), request(peer)).allowed is allowed


def test_unreadable_source_ip_lets_nobody_in() -> None:
    """A restriction that can't be understood is not ignored."""
    asking = key(Permission(ALL, source_ip="somewhere"))
    assert access.decide(asking, "GET", feed(), HERE) == FORBIDDEN


@pytest.mark.parametrize(
    ("stored", "sent", "allowed"),
    [
        ("example.org", "http://example.org/", True),
        ("example.org", "https://example.org:8443/page?x#y", True),
        ("Example.ORG", "http://EXAMPLE.org/page", True),
        ("http://example.org/some/page", "https://example.org/another", True),
        ("//example.org", "http://example.org", True),
        ("example.org:80", "http://example.org", True),
        ("example.org//x", "http://example.org", True),
        ("example.org", "http://www.example.org/", False),
        ("www.example.org", "http://example.org/", False),
        ("example.org", "http://example.org.evil.test/", False),
        ("example.org", "http://evil.test/?u=http://example.org/", False),
        ("example.org", "http://example.org@evil.test/", False),
        ("example.org", "example.org", True),
        ("example.org", "about:blank", False),
        ("example.org", "http://[broken", False),
        ("example.org", "", False),
        ("example.org", None, False),
        ("", None, False),
        ("http://", "http://", False),
        ("example.org", "http://example.org/" + "x" * 5000, True),
    ],
)
def test_referer(stored: str, sent: str | None, allowed: bool) -> None:
    """A permission can be bound to the host of the page that asks; sub-domains are different hosts."""
    asking = key(permission(referer=stored))
    assert access.decide(asking, "GET", feed(), request(referer=sent)).allowed is allowed


def test_all_restrictions_of_a_permission_hold_together() -> None:
    """Method, address, referer and resource must all fit."""
    asking = key(permission("get", ip="192.0.2.7", referer="example.org", resources=(ON_FEED,)))
    fits = request("192.0.2.7", "http://example.org/")
    assert access.decide(asking, "GET", feed(), fits) == ALLOWED
    assert access.decide(asking, "PUT", feed(), fits) == FORBIDDEN
    assert access.decide(asking, "GET", feed(), request("192.0.2.8", "http://example.org/")) == FORBIDDEN
    assert access.decide(asking, "GET", feed(), request("192.0.2.7", "http://example.com/")) == FORBIDDEN
    assert access.decide(asking, "GET", feed(number=OTHER_FEED), fits) == FORBIDDEN


LIMITED = Decision(200, frozenset({"a"}))


@pytest.mark.parametrize(
    ("resources", "method", "stream_id", "expected"),
    [
        # A feed resource covers the feed and all inside of it.
        *[((ON_FEED,), method, stream_id, ALLOWED) for method in METHODS for stream_id in (None, "a")],
        *[
            ((ON_OTHER_FEED,), method, stream_id, FORBIDDEN)
            for method in METHODS
            for stream_id in (None, "a")
        ],
        # A datastream resource covers that datastream …
        *[((ON_A,), method, "a", LIMITED) for method in METHODS],
        *[((ON_A,), method, "b", FORBIDDEN) for method in METHODS],
        # … and the feed as far as that datastream goes, but not its deletion.
        ((ON_A,), "GET", None, LIMITED),
        ((ON_A,), "PUT", None, LIMITED),
        ((ON_A,), "POST", None, LIMITED),
        ((ON_A,), "DELETE", None, FORBIDDEN),
        ((ON_A, ON_B), "GET", None, Decision(200, frozenset({"a", "b"}))),
        ((ON_A, ON_B), "GET", "b", Decision(200, frozenset({"b"}))),
        ((ON_A, ON_FEED), "GET", None, ALLOWED),
        ((ON_A, ON_FEED), "DELETE", None, ALLOWED),
        ((Resource(OTHER_FEED, "a"), ON_B), "GET", None, Decision(200, frozenset({"b"}))),
        ((Resource(OTHER_FEED, "a"),), "GET", "a", FORBIDDEN),
        # A trigger resource covers no feed, even if it names one.
        ((ON_TRIGGER,), "GET", None, FORBIDDEN),
        ((Resource(FEED, None, 14),), "GET", None, FORBIDDEN),
        ((Resource(FEED, "a", 14),), "GET", "a", FORBIDDEN),
    ],
)
def test_resources(
    resources: tuple[Resource, ...], method: str, stream_id: str | None, expected: Decision
) -> None:
    """Resources limit a permission to feeds and datastreams."""
    assert access.decide(key(permission(resources=resources)), method, feed(), HERE, stream_id) == expected


def test_permissions_of_several_datastreams_join() -> None:
    """What one permission allows on one datastream and another one on another is seen together."""
    asking = key(
        permission("get", resources=(ON_A,)),
        permission("get", "put", resources=(ON_B,)),
        permission("put", resources=(Resource(FEED, "c"),)),
    )
    assert access.decide(asking, "GET", feed(), HERE).streams == frozenset("ab")
    assert access.decide(asking, "PUT", feed(), HERE).streams == frozenset("bc")
    assert access.decide(asking, "POST", feed(), HERE) == FORBIDDEN


def test_resource_on_a_foreign_public_feed() -> None:
    """A key limited to somebody else's public feed can read it, and only that."""
    asking = key(permission(resources=(ON_FEED,)))
    assert access.decide(asking, "GET", feed(owner=OTHER), HERE) == ALLOWED
    assert access.decide(asking, "PUT", feed(owner=OTHER), HERE) == FORBIDDEN
    assert access.decide(asking, "GET", feed(owner=OTHER, private=True), HERE) == FORBIDDEN


@pytest.mark.parametrize(
    ("minimum", "interval", "expected"),
    [
        (300, None, Decision(200, None, 300)),
        (300, 300, Decision(200, None, 300)),
        (300, 900, Decision(200, None, 300)),
        (300, 60, FORBIDDEN),
        (300, 0, FORBIDDEN),
        (None, 0, ALLOWED),
        (0, 0, ALLOWED),
    ],
)
def test_minimum_interval(minimum: int | None, interval: int | None, expected: Decision) -> None:
    """A permission with a minimum interval allows no history that is finer."""
    asking = key(permission(minimum_interval=minimum))
    assert access.decide(asking, "GET", feed(), HERE, interval=interval) == expected
    assert access.decide(asking, "GET", feed(), HERE, "a", interval=interval) == expected


def test_the_better_minimum_counts() -> None:
    """Of several permissions that allow a request, the one with the shorter interval is used."""
    asking = key(permission(minimum_interval=900), permission(minimum_interval=60))
    assert access.decide(asking, "GET", feed(), HERE).minimum_interval == 60
    asking = key(permission(minimum_interval=900), permission())
    assert access.decide(asking, "GET", feed(), HERE) == ALLOWED
    asking = key(permission(minimum_interval=900), permission(resources=(ON_A,)))
    assert access.decide(asking, "GET", feed(), HERE, "a") == ALLOWED
    assert access.decide(asking, "GET", feed(), HERE, "b") == Decision(200, None, 900)
    assert access.decide(asking, "GET", feed(), HERE) == Decision(200, None, 900)


def test_minimum_of_a_partly_permitted_feed() -> None:
    """A history too fine for a datastream leaves it out; an automatic one suits all that are seen."""
    asking = key(
        permission(resources=(ON_A,)),
        permission(resources=(ON_B,), minimum_interval=300),
        permission(resources=(ON_B,), minimum_interval=900),
    )
    assert access.decide(asking, "GET", feed(), HERE) == Decision(200, frozenset({"a", "b"}), 300)
    assert access.decide(asking, "GET", feed(), HERE, interval=60) == Decision(200, frozenset({"a"}))
    assert access.decide(asking, "GET", feed(), HERE, "b") == Decision(200, frozenset({"b"}), 300)


def test_decision_becomes_a_problem() -> None:
    """A caller that requires what was not allowed gets the answer to give."""
    assert ALLOWED.require() is ALLOWED
    for decision, status in ((UNAUTHORIZED, 401), (FORBIDDEN, 403)):
        assert not decision.allowed
        with pytest.raises(Problem, match=str(status)):
            decision.require()
        with pytest.raises(Problem, match=str(status)):
            decision.require_write([], metadata=False)


def test_covered_streams() -> None:
    """A decision knows which datastreams it covers."""
    assert ALLOWED.covers("anything")
    assert LIMITED.covers("a")
    assert not LIMITED.covers("b")
    assert not FORBIDDEN.covers("a")


@pytest.mark.parametrize(
    ("decision", "stream_ids", "metadata", "allowed"),
    [
        (ALLOWED, ["a", "b"], True, True),
        (LIMITED, ["a"], False, True),
        (LIMITED, [], False, True),
        (LIMITED, ["a", "b"], False, False),
        (LIMITED, ["b"], False, False),
        (LIMITED, ["a"], True, False),
        (LIMITED, [], True, False),
    ],
)
def test_write_through_the_feed(
    decision: Decision, stream_ids: list[str], metadata: bool, allowed: bool
) -> None:
    """A device whose key is limited to a datastream may write it through the feed, and nothing else."""
    if allowed:
        decision.require_write(stream_ids, metadata=metadata)
    else:
        with pytest.raises(Problem, match="403"):
            decision.require_write(stream_ids, metadata=metadata)


def test_only_valid_keys_are_authenticated() -> None:
    """No key, and one that has expired, are 401; the moment of expiry is already too late."""
    valid = key(permission())
    assert access.authenticated(valid, NOW) is valid
    lasting = Key(1, "K1", OWNER, "rosa", "l", True, (permission(),), expires_at=NOW + 1)
    assert access.authenticated(lasting, NOW) is lasting
    for late in (NOW + 1, NOW + 2):
        with pytest.raises(Problem, match="401"):
            access.authenticated(lasting, late)
    with pytest.raises(Problem, match="401"):
        access.authenticated(None, NOW)


@pytest.mark.parametrize(
    ("own", "private_feed", "private_access", "expected"),
    [
        (True, False, False, True),
        (True, True, True, True),
        (True, True, False, False),
        (False, False, False, True),
        (False, False, True, True),
        (False, True, True, False),
    ],
)
def test_visible(own: bool, private_feed: bool, private_access: bool, expected: bool) -> None:
    """Public feeds are seen by all, private ones by the owner's keys with private access."""
    asking = key(permission(), private=private_access)
    assert access.visible(asking, feed(private_feed, OWNER if own else OTHER)) is expected


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        (key(permission("get")), Reach(None, OWNER)),
        (key(permission("get"), private=False), Reach(None, None)),
        (key(permission("put")), None),
        (key(permission("get", resources=(ON_FEED, ON_OTHER_FEED))), Reach(frozenset({504, 505}), OWNER)),
        (key(permission("get", resources=(ON_A,))), Reach(frozenset({504}), OWNER, by_stream=True)),
        (key(permission("get", resources=(ON_TRIGGER, Resource(506, None, 3)))), Reach(frozenset(), OWNER)),
        (
            key(permission("put", resources=(ON_FEED,)), permission("get", resources=(ON_OTHER_FEED,))),
            Reach(frozenset({505}), OWNER),
        ),
        (key(permission("get", resources=(ON_FEED,)), permission("get")), Reach(None, OWNER)),
        (key(permission("get", ip="198.51.100.1")), None),
        (
            key(permission("get", ip="198.51.100.1"), permission("get", resources=(ON_FEED,))),
            Reach(frozenset({504}), OWNER),
        ),
    ],
)
def test_reach_of_a_list(asking: Key, expected: Reach | None) -> None:
    """A list shows a limited key its feeds only, and private ones only with private access."""
    assert access.reach(asking, HERE) == expected


@pytest.mark.parametrize(
    ("resources", "trigger_id", "expected"),
    [
        ((), 14, True),
        ((), None, True),
        ((ON_TRIGGER,), 14, True),
        ((ON_TRIGGER,), 15, False),
        ((ON_TRIGGER,), None, False),
        ((Resource(FEED, None, 14),), 14, True),
        ((Resource(FEED, None, 14),), 15, False),
        ((ON_FEED,), 14, True),
        ((ON_FEED,), None, True),
        ((ON_A,), 14, False),
        ((ON_OTHER_FEED,), 14, False),
        ((ON_OTHER_FEED, ON_TRIGGER), 14, True),
    ],
)
def test_triggers(resources: tuple[Resource, ...], trigger_id: int | None, expected: bool) -> None:
    """A limited key may use the triggers it names and those on the feeds it names."""
    asking = key(permission("put", resources=resources))
    assert access.covers_trigger(asking, "PUT", HERE, trigger_id, FEED) is expected
    assert access.covers_trigger(asking, "GET", HERE, trigger_id, FEED) is False


MASTER = key(permission())
LIMITED_KEY = key(permission(resources=(ON_FEED,)))
READER = key(permission("get"))
PUBLIC = key(permission(), private=False)
ELSEWHERE = [route for route in ROUTES if "{feed_id}" not in route.template]
OPEN_TO_ALL = ("devices.activate", "crossdomain.read", "openapi.read", "health.read", "metrics.read")


@pytest.mark.parametrize("route", ELSEWHERE, ids=lambda route: route.name)
def test_every_route_without_a_feed_has_a_rule(route: Route) -> None:
    """The master key may do everything; without a key one activates a device, or reads who may read."""
    assert access.decide_elsewhere(MASTER, route.name, route.method, HERE) == ALLOWED
    expected = ALLOWED if route.name in OPEN_TO_ALL else UNAUTHORIZED
    assert access.decide_elsewhere(None, route.name, route.method, HERE) == expected


NEEDS_MASTER = [
    *(f"keys.{action}" for action in ("list", "create", "read", "update", "delete", "regenerate")),
    *(f"products.{action}" for action in ("list", "create", "read", "update", "delete")),
    *(f"devices.{action}" for action in ("list", "create", "read", "update", "delete")),
    "users.create",
]


@pytest.mark.parametrize("name", NEEDS_MASTER)
@pytest.mark.parametrize(
    "asking",
    [
        LIMITED_KEY,
        READER,
        PUBLIC,
        key(permission("get", "put", "post")),
        key(permission("get"), permission("put", "post", "delete")),
        key(permission(ip="192.0.2.7")),
        key(permission(referer="example.org")),
        key(permission(minimum_interval=60)),
    ],
)
def test_actions_of_the_master_key(name: str, asking: Key) -> None:
    """A key that is limited in any way is no master key."""
    method = next(route.method for route in ROUTES if route.name == name)
    assert access.decide_elsewhere(asking, name, method, HERE, "another key") == FORBIDDEN


@pytest.mark.parametrize(
    ("name", "asking", "expected"),
    [
        ("feeds.create", PUBLIC, ALLOWED),
        ("feeds.create", key(permission("post")), ALLOWED),
        ("feeds.create", READER, FORBIDDEN),
        ("feeds.create", LIMITED_KEY, FORBIDDEN),
        ("feeds.create", key(permission("post", ip="198.51.100.1")), FORBIDDEN),
        ("feeds.list", READER, ALLOWED),
        ("feeds.list", LIMITED_KEY, ALLOWED),
        ("feeds.list", key(permission("put")), FORBIDDEN),
        ("feeds.list.v1", READER, ALLOWED),
        ("feeds.list.web", key(permission("put")), FORBIDDEN),
        ("feeds.create.v1", READER, FORBIDDEN),
        ("feeds.create.web", LIMITED_KEY, FORBIDDEN),
        ("feeds.create.web", PUBLIC, ALLOWED),
        ("triggers.list", READER, ALLOWED),
        ("triggers.list", LIMITED_KEY, ALLOWED),
        ("triggers.create", READER, FORBIDDEN),
        ("triggers.create", LIMITED_KEY, ALLOWED),
        ("users.list", READER, ALLOWED),
        ("users.list", LIMITED_KEY, FORBIDDEN),
        ("users.read", LIMITED_KEY, ALLOWED),
        ("users.update", READER, FORBIDDEN),
        ("users.delete", LIMITED_KEY, FORBIDDEN),
        ("devices.activate", READER, ALLOWED),
    ],
)
def test_actions_beside_the_feeds(name: str, asking: Key, expected: Decision) -> None:
    """Creating a feed and using accounts need a permission without resources; lists show less."""
    method = next(route.method for route in ROUTES if route.name == name)
    assert access.decide_elsewhere(asking, name, method, HERE) == expected


@pytest.mark.parametrize(
    ("asking", "text", "reads", "regenerates"),
    [
        (LIMITED_KEY, "K1", True, False),
        (READER, "K1", True, False),
        (key(), "K1", True, False),
        (key(permission("post")), "K1", True, True),
        (key(permission("post"), private=False), "K1", True, True),
        (key(permission("post", ip="198.51.100.1")), "K1", True, False),
        (key(permission("post")), "K2", False, False),
        (MASTER, "K2", True, True),
    ],
)
def test_keys_about_themselves(asking: Key, text: str, reads: bool, regenerates: bool) -> None:
    """Any key may read itself, one that may POST everywhere may renew itself; others need the master key."""
    assert access.decide_elsewhere(asking, "keys.read", "GET", HERE, text).allowed is reads
    assert access.decide_elsewhere(asking, "keys.regenerate", "POST", HERE, text).allowed is regenerates
    assert access.decide_elsewhere(asking, "keys.delete", "DELETE", HERE, text).allowed is (asking is MASTER)


RESOURCES = st.builds(
    Resource,
    st.sampled_from([FEED, OTHER_FEED, None]),
    st.sampled_from([None, None, "a", "b"]),
    st.sampled_from([None, None, None, 14]),
)
PERMISSIONS = st.builds(
    Permission,
    st.lists(st.sampled_from(ALL), unique=True, min_size=1).map(tuple),
    minimum_interval=st.sampled_from([None, 60, 300]),
    resources=st.lists(RESOURCES, max_size=2).map(tuple),
)


def reference(asking: Key, method: str, asked: Feed, stream_id: str, interval: int) -> bool:
    """The rules for one datastream, one after the other as the documentation lists them."""
    if asked.private and (asked.owner_id != asking.owner_id or not asking.private_access):
        return False
    if asked.owner_id != asking.owner_id and method != "GET":
        return False
    for granted in asking.permissions:
        if method.lower() not in granted.access_methods:
            continue
        if granted.minimum_interval is not None and interval < granted.minimum_interval:
            continue
        if not granted.resources or any(
            resource in (Resource(asked.id), Resource(asked.id, stream_id)) for resource in granted.resources
        ):
            return True
    return False


@given(
    st.lists(PERMISSIONS, max_size=3),
    st.booleans(),
    st.booleans(),
    st.sampled_from([OWNER, OTHER]),
    st.sampled_from(METHODS),
    st.sampled_from([0, 60, 300]),
)
def test_decision_is_the_sum_of_its_datastreams(
    permissions: list[Permission], private: bool, private_feed: bool, owner: int, method: str, interval: int
) -> None:
    """For any key, the decision about a feed covers exactly the datastreams that are allowed one by one."""
    asking = key(*permissions, private=private)
    asked = feed(private_feed, owner)
    whole = access.decide(asking, method, asked, HERE, interval=interval)
    for stream_id in ("a", "b", "c"):
        expected = reference(asking, method, asked, stream_id, interval)
        single = access.decide(asking, method, asked, HERE, stream_id, interval=interval)
        assert single.allowed is expected
        assert single.covers(stream_id) is expected
        if single.minimum_interval is not None:
            assert single.minimum_interval <= interval
        if whole.allowed or method != "DELETE":
            assert whole.covers(stream_id) is expected
    if whole.allowed and method == "DELETE":
        assert whole.streams is None
