"""Accounts of the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import attrs

from txpachube.structures import convert
from txpachube.structures.base import SECRET, Structure, converted, tolerant

__all__ = ["User", "UserList"]


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class User(Structure):
    """
    An account.

    ``repr(user)`` hides the key and the password. ``str(user)`` is the document, which has them:
    never log that.

    Read from documents and keywords with and without the root ``user``; written with it.

    Attributes:
        login: its name.
        email: text.
        password: sent when an account is made or its password changed; services never show it.
        full_name: text, like `first_name`, `last_name`, `about`, `organisation` and `website`.
        api_key: the account's master key; shown only to the account itself and to its creator.
        roles: a list of texts such as ``default``.
        creatable_roles: the roles this account may give to accounts it makes.
        deliver_email: a boolean, like the other settings.
        time_zone: the name of a place, such as ``London``.
        feeds_count: a number, like the other counts; given by the service.
    """

    _wrappers: ClassVar[tuple[str, ...]] = ("user",)
    _aliases: ClassVar[Mapping[str, str]] = {"timezone": "time_zone"}

    login: str | None = attrs.field(default=None, converter=convert.text)
    email: str | None = attrs.field(default=None, converter=convert.text)
    password: str | None = attrs.field(default=None, converter=convert.text, metadata=SECRET)
    full_name: str | None = attrs.field(default=None, converter=convert.text)
    first_name: str | None = attrs.field(default=None, converter=convert.text)
    last_name: str | None = attrs.field(default=None, converter=convert.text)
    api_key: str | None = attrs.field(default=None, converter=convert.text, metadata=SECRET)
    roles: list[str] | None = attrs.field(default=None, converter=convert.texts)
    creatable_roles: list[str] | None = attrs.field(default=None, converter=convert.texts)
    about: str | None = attrs.field(default=None, converter=convert.text)
    deliver_email: bool | None = attrs.field(default=None, converter=convert.flag)
    display_activity: bool | None = attrs.field(default=None, converter=convert.flag)
    display_information: bool | None = attrs.field(default=None, converter=convert.flag)
    display_stats: bool | None = attrs.field(default=None, converter=convert.flag)
    organisation: str | None = attrs.field(default=None, converter=convert.text)
    receive_forum_notifications: bool | None = attrs.field(default=None, converter=convert.flag)
    subscribed_to_mailings: bool | None = attrs.field(default=None, converter=convert.flag)
    time_zone: str | None = attrs.field(default=None, converter=convert.text)
    website: str | None = attrs.field(default=None, converter=convert.text)
    feeds_count: int | None = attrs.field(default=None, converter=convert.whole)
    datastreams_count: int | None = attrs.field(default=None, converter=convert.whole)
    datastreams_allowed: int | None = attrs.field(default=None, converter=convert.whole)
    daily_api_access_count: int | None = attrs.field(default=None, converter=convert.whole)
    total_api_access_count: int | None = attrs.field(default=None, converter=convert.whole)

    def _root(self) -> Any:
        return {"user": self.toDict()}


def _users(value: Iterable[User | Mapping[str, Any]] | None) -> list[User]:
    return convert.parts(User, value) or []


@tolerant
@attrs.define(kw_only=True, repr=False, on_setattr=converted)
class UserList(Structure):
    """
    A list of accounts; the JSON document is an array of ``{"user": {…}}``.

    Attributes:
        users: a list of `User`; empty when none were given, since the document is that list.
    """

    users: list[User] = attrs.field(default=(), converter=_users)

    @classmethod
    def _fields_of(cls, source: Any) -> Mapping[str, Any]:
        return {"users": source} if isinstance(source, list | tuple) else super()._fields_of(source)

    def _root(self) -> Any:
        return [user._root() for user in self.users]
