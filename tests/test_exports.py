"""What ``import txpachube`` gives."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib import metadata

import pytest

import txpachube
from txpachube import errors

STRUCTURES = """
    Unit Location Waypoint Datapoint Datastream Environment EnvironmentList Trigger TriggerList Resource
    Permission Key KeyList User UserList
"""


def test_everything_public_is_listed() -> None:
    """A name without an underscore is listed in ``__all__``, unless it is a module, and vice versa."""
    found = {
        name
        for name, value in vars(txpachube).items()
        if not name.startswith("_") and getattr(value, "__module__", "").startswith("txpachube")
    }
    assert found | {"__version__"} == set(txpachube.__all__)
    assert len(txpachube.__all__) == len(set(txpachube.__all__))


def test_structures_fields_formats_and_errors_are_there() -> None:
    """Programs import the structures, the constants and every error from the package itself."""
    exported = set(txpachube.__all__)
    assert exported >= {*STRUCTURES.split(), "DataFields", "DataFormats", "__version__"}
    assert exported >= set(errors.__all__) - {"error_for_status"}


def test_the_version_is_that_of_the_distribution() -> None:
    """The version in the code and the one pip shows are the same."""
    assert txpachube.__version__ == metadata.version("txpachube")


@pytest.mark.parametrize(
    "name",
    [name for _, name, _ in pkgutil.iter_modules(importlib.import_module("txpachube.structures").__path__)],
)
def test_modules_of_structures_list_what_they_define(name: str) -> None:
    """``__all__`` of a module names just what exists in it."""
    module = importlib.import_module(f"txpachube.structures.{name}")
    assert len(module.__all__) == len(set(module.__all__))
    assert all(hasattr(module, public) for public in module.__all__)


def test_the_import_is_light() -> None:
    """Importing the package does not import Twisted, the command line's libraries or the tests' ones."""
    code = "import txpachube, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"twisted", "zope", "click", "rich", "hypothesis", "sqlite3"} & set(loaded)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Datastream_Trigger", "datastream-trigger"),
        ("Datastream_Triggers", "datastream-triggers"),
        ("Elevation", "ele"),
        ("Latitude", "lat"),
        ("Longitude", "lon"),
        ("Maximum_Value", "max_value"),
        ("Minimum_Value", "min_value"),
        ("Total_Results", "totalResults"),
    ],
)
def test_field_names_that_differ_from_their_constants(name: str, value: str) -> None:
    """These constants are not spelled like their fields."""
    assert getattr(txpachube.DataFields, name) == value


def test_field_names_are_spelled_like_their_constants() -> None:
    """All the other constants are: capitalised words joined by underscores."""
    names = """
        About Access_Method Access_Methods Api_Key At Creatable_Role Creatable_Roles Creator
        Current_Value Data Datapoints Datastream_Id Datastreams Datastreams_Allowed
        Datastreams_Count Deliver_Email Description Display_Activity Display_Information
        Display_Stats Disposition Domain Email Environment Environment_Id Exposure Feed Feed_Id
        First_Name Full_Name Icon Id Key Keys Label Last_Name Location Login Minimum_Interval Name
        Notified_At Organisation Permission Permissions Private Private_Access
        Receive_Forum_Notifications Referer Resources Results Role Roles Source_Ip Status Stream_Id
        Subscribed_To_Mailings Symbol Tag Tags Threshold_Value Title Timestamp Timezone
        Total_Api_Access_Count Triggering_Datastream Trigger_Type Type Unit User Users Updated Url
        Value Version Website Created Waypoints Expires_At
    """
    for name in names.split():
        assert getattr(txpachube.DataFields, name) == name.lower()


def test_formats() -> None:
    """The formats are the extensions of the API's paths."""
    formats = txpachube.DataFormats
    assert (formats.JSON, formats.XML, formats.CSV, formats.PNG) == ("json", "xml", "csv", "png")
