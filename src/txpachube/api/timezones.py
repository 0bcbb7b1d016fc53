"""
The ``timezone`` parameter: offsets in hours, place names, and the names of the IANA database.

The place names are those that Ruby on Rails gives the zones; the published table lists their winter
offsets, while the zones they stand for know their summer time.
"""

from __future__ import annotations

import re
from datetime import timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

__all__ = ["PLACES", "find"]

MAX_LENGTH: Final = 64
"""Characters of a zone's name; the longest known one has 32."""

EARLIEST_OFFSET: Final = -12.0
"""Hours; no place on Earth is further behind."""

LATEST_OFFSET: Final = 14.0
"""Hours; no place on Earth is further ahead."""

# Places that share a zone, or whose zone has another name. Listed as "zone: place; place".
_NAMED: Final = """
    Pacific/Midway: International Date Line West; Midway Island
    Pacific/Pago_Pago: Samoa
    Pacific/Honolulu: Hawaii
    America/Juneau: Alaska
    America/Los_Angeles: Pacific Time (US & Canada)
    America/Denver: Mountain Time (US & Canada)
    America/Phoenix: Arizona
    America/Chicago: Central Time (US & Canada)
    America/Guatemala: Central America
    America/Mexico_City: Guadalajara; Mexico City; Guadalajara, Mexico City
    America/Regina: Saskatchewan
    America/New_York: Eastern Time (US & Canada)
    America/Indiana/Indianapolis: Indiana (East)
    America/Lima: Lima; Quito; Lima, Quito
    America/Halifax: Atlantic Time (Canada)
    America/St_Johns: Newfoundland
    America/Sao_Paulo: Brasilia
    America/Argentina/Buenos_Aires: Buenos Aires
    America/Guyana: Georgetown
    America/Godthab: Greenland
    Atlantic/South_Georgia: Mid-Atlantic
    Atlantic/Cape_Verde: Cape Verde Is.
    UTC: UTC
    Europe/London: Edinburgh
    Europe/Zurich: Bern
    Africa/Algiers: West Central Africa
    Europe/Kiev: Kyev
    Africa/Johannesburg: Pretoria
    Europe/Moscow: Moscow; St. Petersburg; Volgograd
    Asia/Muscat: Abu Dhabi
    Asia/Yekaterinburg: Ekaterinburg
    Asia/Karachi: Islamabad
    Asia/Kolkata: Chennai; Mumbai; New Delhi
    Asia/Colombo: Sri Jayawardenepura
    Asia/Dhaka: Astana
    Asia/Bangkok: Hanoi
    Asia/Shanghai: Beijing
    Asia/Ulaanbaatar: Ulaan Bataar
    Asia/Tokyo: Osaka; Sapporo
    Australia/Melbourne: Canberra
    Pacific/Noumea: New Caledonia
    Pacific/Guadalcanal: Solomon Is.
    Pacific/Auckland: Wellington
    Asia/Kamchatka: Kamchatka
    Pacific/Majuro: Marshall Is.
    Pacific/Tongatapu: Nuku'alofa
"""

# Places whose zone is called like them, by continent.
_SAME: Final = {
    "America": "Tijuana; Chihuahua; Mazatlan; Monterrey; Bogota; Caracas; La Paz; Santiago",
    "Atlantic": "Azores",
    "Africa": "Casablanca; Monrovia; Cairo; Harare; Nairobi",
    "Asia": "Jerusalem; Baghdad; Kuwait; Riyadh; Tehran; Muscat; Baku; Tbilisi; Yerevan; Kabul; Karachi; "
    "Tashkent; Kolkata; Kathmandu; Almaty; Novosibirsk; Dhaka; Rangoon; Bangkok; Jakarta; Krasnoyarsk; "
    "Chongqing; Hong Kong; Irkutsk; Singapore; Taipei; Urumqi; Kuala Lumpur; Tokyo; Seoul; Yakutsk; "
    "Vladivostok; Magadan",
    "Australia": "Perth; Adelaide; Darwin; Brisbane; Hobart; Melbourne; Sydney",
    "Europe": "Dublin; London; Lisbon; Amsterdam; Belgrade; Berlin; Bratislava; Brussels; Budapest; "
    "Copenhagen; Ljubljana; Madrid; Paris; Prague; Rome; Sarajevo; Skopje; Stockholm; Vienna; Warsaw; "
    "Zagreb; Athens; Bucharest; Helsinki; Istanbul; Minsk; Riga; Sofia; Tallinn; Vilnius",
    "Pacific": "Guam; Port Moresby; Auckland; Fiji",
}


def _places() -> dict[str, str]:
    places = {}
    for line in _NAMED.strip().splitlines():
        zone, _, names = line.strip().partition(": ")
        places.update(dict.fromkeys(names.split("; "), zone))
    for continent, names in _SAME.items():
        places.update({name: f"{continent}/{name.replace(' ', '_')}" for name in names.split("; ")})
    return places


PLACES: Final = _places()
"""The zone of each place name. Case counts, as it always did."""

_HOURS: Final = re.compile(r"[+\- ]?\d{1,2}(?:\.\d{1,6})?", re.ASCII)
# Begins with a capital, so that the oddities beside the zones ("posix/…", "localtime") are left alone.
_IANA: Final = re.compile(r"[A-Z][A-Za-z0-9_+\-]*(?:/[A-Za-z][A-Za-z0-9_+\-]*){0,2}", re.ASCII)


def find(text: str | None) -> tzinfo | None:
    """
    Return the zone a parameter names, or None when there is none or nobody knows it.

    Unknown names are no error: the answer is then in UTC, as if nothing had been asked.
    """
    if text is None or len(text) > MAX_LENGTH:
        return None
    return _find(text)


@lru_cache(maxsize=1024)
def _find(text: str) -> tzinfo | None:
    # An unescaped + arrives as a blank, which float() ignores.
    if _HOURS.fullmatch(text.rstrip()):
        hours = float(text)
        if not EARLIEST_OFFSET <= hours <= LATEST_OFFSET:
            return None
        return timezone(timedelta(minutes=round(hours * 60)))
    name = PLACES.get(text.strip())
    if name is None and _IANA.fullmatch(text):
        name = text
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # No such zone; ValueError and OSError come from files and folders that aren't one.
        return None
