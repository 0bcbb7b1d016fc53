"""Settings, and where they come from."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from txpachube.server.config import BadSettings, Settings, default_data_directory, load_settings, variable_of


def file_with(folder: Path, text: str | bytes) -> Path:
    """Return a configuration file with this content."""
    path = folder / "pachube.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_nothing_has_to_be_set() -> None:
    """Without any setting the service listens on this machine only."""
    settings = load_settings({}, {})
    assert settings.http == "tcp:8000:interface=127.0.0.1"
    assert settings.base_url == ""
    assert not settings.trust_forwarded


def test_a_flag_wins_over_a_variable_which_wins_over_the_file(tmp_path: Path) -> None:
    """Each source decides only what the stronger ones leave open."""
    file = file_with(tmp_path, 'data = "/file"\nhttp = "tcp:1"\nbase_url = "http://file.example"\n')
    environ = {"PACHUBE_DATA": "/variable", "PACHUBE_HTTP": "tcp:2"}
    settings = load_settings({"data": "/flag", "http": None}, environ, file)
    assert (settings.data, settings.http, settings.base_url) == ("/flag", "tcp:2", "http://file.example")


def test_an_empty_variable_is_not_set() -> None:
    """``PACHUBE_HTTP= txpachube serve`` is how a shell takes a variable back."""
    assert load_settings({}, {"PACHUBE_HTTP": ""}).http == load_settings({}, {}).http


@pytest.mark.parametrize("text", ["true", "1"])
def test_variables_are_texts(text: str) -> None:
    """What is yes or no can be said in the usual words of the environment."""
    assert load_settings({}, {"PACHUBE_TRUST_FORWARDED": text}).trust_forwarded


def test_every_setting_has_its_variable() -> None:
    """The variable of a setting is its name in capitals."""
    samples: dict[str, object] = {
        name: True if isinstance(value, bool) else value + 1 if isinstance(value, int | float) else "sample"
        for name, value in msgspec.structs.asdict(Settings()).items()
    }
    samples["log_format"] = "json"  # not any text
    settings = load_settings({}, {variable_of(name): str(value) for name, value in samples.items()})
    assert msgspec.structs.asdict(settings) == samples


def test_other_variables_of_this_project_are_no_settings() -> None:
    """The variables of the client and of people's own programs do no harm."""
    environ = {"PACHUBE_API_KEY": "k", "PACHUBE_URL": "http://pachube.example", "PACHUBE_GREENHOUSE": "1"}
    load_settings({}, environ)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("htpp = 'tcp:1'", "htpp"),
        ("requests_per_minute = -1", "requests_per_minute"),
        ("requests_per_minute = 'many'", "requests_per_minute"),
        ("feeds_per_account = -1", "feeds_per_account"),
        ("datastreams_per_account = 0.5", "datastreams_per_account"),
        ("trust_forwarded = 'perhaps'", "trust_forwarded"),
        ("largest_body = 100", "largest_body"),
        ("request_timeout = 0", "request_timeout"),
        ("idle_timeout = inf", "idle_timeout"),
        ("write_timeout = nan", "write_timeout"),
        ("http = 8000", "http"),
        ("http = ", "at end of document"),
        (b'data = "\xff"', "utf-8"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, content: str | bytes, named: str) -> None:
    """The person who wrote the file learns which file it was and what in it."""
    file = file_with(tmp_path, content)
    with pytest.raises(BadSettings) as caught:
        load_settings({}, {}, file)
    assert str(file) in str(caught.value)
    assert named in str(caught.value)


def test_a_bad_file_is_refused_even_if_a_flag_hides_the_mistake(tmp_path: Path) -> None:
    """A mistake shows when it is made, and not when somebody leaves the flag away."""
    file = file_with(tmp_path, "trust_forwarded = 'perhaps'")
    with pytest.raises(BadSettings, match="trust_forwarded"):
        load_settings({"trust_forwarded": True}, {}, file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(BadSettings, match=r"absent\.toml: No such file"):
        load_settings({}, {}, tmp_path / "absent.toml")


def test_a_bad_variable_is_named() -> None:
    """The message names the variable, since nobody sees the environment."""
    with pytest.raises(BadSettings, match="PACHUBE_TRUST_FORWARDED"):
        load_settings({}, {"PACHUBE_TRUST_FORWARDED": "perhaps"})


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_DATA_HOME": "/xdg", "HOME": "/home/rosa"}, "/xdg/txpachube"),
        ({"HOME": "/home/rosa"}, "/home/rosa/.local/share/txpachube"),
        ({"HOME": "/home/rosa", "XDG_DATA_HOME": ""}, "/home/rosa/.local/share/txpachube"),
    ],
)
def test_data_lives_where_the_desktop_says(environ: dict[str, str], expected: str) -> None:
    """Without a directory the data goes into the user's own."""
    assert default_data_directory(environ) == Path(expected)
