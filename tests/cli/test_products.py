"""The commands of products and devices, beside a running service and without one."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any

import pytest

from txpachube.testing.service import ServiceProcess


def read(service: ServiceProcess, path: str, key: str = "") -> Any:
    """Return the document that a running service answers."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        connection.request("GET", path, headers={"X-ApiKey": key} if key else {})
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


def test_a_series_is_made_beside_the_service(service: ServiceProcess) -> None:
    """What the commands make is there for the service at once, and the code that they print activates."""
    made = service.run_json("product", "add", "Box", "--private", "--datastream", "wind")
    product = made["id"]
    assert made == {
        "id": product,
        "owner": "admin",
        "name": "Box",
        "state": "develop",
        "datastreams": ["wind"],
        "devices": 0,
        "activated": 0,
    }
    devices = service.run_json("device", "add", "--product", product, "box-1", "box-2", "box-1")
    assert [device["serial"] for device in devices] == ["box-1", "box-2"]
    assert all(re.fullmatch("[0-9a-f]{40}", device["activation_code"]) for device in devices)
    told = read(service, f"/v2/devices/{devices[1]['activation_code']}/activate")
    assert read(service, f"/v2/feeds/{told['feed_id']}", told["apikey"])["private"] == "true"
    page = read(service, f"/v2/products/{product}/devices/box-2", service.api_key)["device"]
    assert page["activation_code"] == devices[1]["activation_code"]
    listed = service.run_json("device", "list", "--product", product)
    assert listed == [
        {"serial": "box-1", "activated": False, "feed": None},
        {"serial": "box-2", "activated": True, "feed": told["feed_id"]},
    ]
    assert service.run_json("product", "show", product)["activated"] == 1
    assert service.run("device", "remove", "--product", product, "box-2").returncode == 0
    assert service.run("product", "remove", product, "--yes").returncode == 0
    assert service.run_json("product", "list") == []
    assert read(service, f"/v2/feeds/{told['feed_id']}", told["apikey"])["device_serial"] == "box-2"


def test_codes_and_secret_are_shown_when_they_are_asked_for(offline: ServiceProcess) -> None:
    """A list has no codes and a page no secret, unless an option asks for them."""
    product = offline.run_json("product", "add", "Box")["id"]
    (device,) = offline.run_json("device", "add", "--product", product, "1")
    secret = offline.run("product", "show", product, "--secret").stdout.strip()
    assert re.fullmatch("[0-9a-f]{40}", secret)
    for line in (["product", "show", product], ["product", "list"], ["device", "list", "--product", product]):
        for form in ([], ["--json"]):
            shown = offline.run(*line, *form)
            assert shown.returncode == 0
            assert secret not in shown.stdout
            assert device["activation_code"] not in shown.stdout
    codes = offline.run("device", "list", "--product", product, "--codes").stdout.splitlines()
    assert codes[1].split() == ["1", "no", "-", device["activation_code"]]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (["product", "add", " "], "Name can't be blank"),
        (["product", "add", "Box", "--datastream", "a b"], "Stream ID is invalid"),
        (["product", "add", "Box", "--owner", "nobody"], "there is no account nobody"),
        (["product", "show", "nothing"], "there is no such product"),
        (["product", "remove", "nothing", "--yes"], "there is no such product"),
        (["device", "list", "--product", "nothing"], "there is no such product"),
        (["device", "add", "--product", "BOX", "new", "a b"], "Serial is invalid: a b"),
        (["device", "add", "--product", "BOX", "new", "old"], "device old exists already"),
        (["device", "remove", "--product", "BOX", "new"], "there is no device new"),
    ],
)
def test_what_cannot_be_is_said(offline: ServiceProcess, line: list[str], text: str) -> None:
    """A command that can't do what it is told says why, and does nothing of it."""
    product = offline.run_json("product", "add", "Box")["id"]
    offline.run_json("device", "add", "--product", product, "old")
    refused = offline.run(*[product if word == "BOX" else word for word in line])
    assert refused.returncode != 0
    assert text in refused.stderr
    assert "Traceback" not in refused.stderr
    assert [product["id"] for product in offline.run_json("product", "list")] == [product]
    assert [d["serial"] for d in offline.run_json("device", "list", "--product", product)] == ["old"]


def test_a_removal_asks_first(offline: ServiceProcess) -> None:
    """Without a yes nothing is removed."""
    product = offline.run_json("product", "add", "Box")["id"]
    assert offline.run("product", "remove", product).returncode != 0
    assert offline.run_json("product", "show", product)["name"] == "Box"
