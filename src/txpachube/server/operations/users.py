"""
Accounts: list, create, read, update, delete.

An account is managed by itself and by the account that made it, its creator; what others see of it,
`userdocuments` says. A key is not its account:

- the settings are shown to keys with private access, and changed by them;
- the account's master key is shown to a master key only, or a key that may do little would find in it
  everything its owner may;
- for the same reason only a master key changes a password or roles, and makes and deletes accounts.

Whether the key has the method for it was decided before.
"""

from __future__ import annotations

from typing import Any, Final

from txpachube.api.messages import Response
from txpachube.api.problems import forbidden, not_found, unauthorized, unprocessable
from txpachube.codecs import records_json, records_xml
from txpachube.server.operations.call import Call, Operation
from txpachube.server.operations.userdocuments import public_document, read_user, user_document
from txpachube.server.storage.failures import Conflict
from txpachube.server.storage.users import Indispensable, User

__all__ = ["OPERATIONS", "create", "delete", "list_all", "read", "update"]

_READ: Final = {"json": records_json.decode_user, "xml": records_xml.decode_user}
_WRITE: Final = {"json": records_json.encode_user, "xml": records_xml.encode_user}
_WRITE_ALL: Final = {"json": records_json.encode_users, "xml": records_xml.encode_users}

_TAKEN: Final = "Login has already been taken"


async def list_all(call: Call) -> Response:
    """Return the accounts that this account made."""
    users = await call.store.users.of(call.key.owner_id)
    return call.answer(_WRITE_ALL[call.format](await _documents(call, users)))


async def create(call: Call) -> Response:
    """Make an account with a master key, which stands in its document."""
    asker = await _asker(call)
    if not asker.creatable_roles:
        raise forbidden()
    document = call.decode(_READ)
    wish = read_user(document, None, asker)
    if await call.store.users.is_taken(wish.login):
        raise unprocessable(_TAKEN)
    assert wish.password is not None, "a new account has one"
    try:
        await call.store.users.create(asker.id, wish.login, wish.password, wish.fields, call.now)
    except Conflict:  # somebody else was faster
        raise unprocessable(_TAKEN) from None
    return call.created("users.read", login=wish.login)


async def read(call: Call) -> Response:
    """Return an account, as much of it as the key may see."""
    (document,) = await _documents(call, [await _user(call)])
    return call.answer(_WRITE[call.format](document))


async def update(call: Call) -> Response:
    """Change what the body says of an account; its login stays."""
    user = await _managed(call)
    wish = read_user(call.decode(_READ), user, await _asker(call))
    if wish.gives_rights and not call.key.is_master:
        raise forbidden()
    await call.store.users.change(user, wish.fields, wish.password)
    return call.done()


async def delete(call: Call) -> Response:
    """Remove an account with its feeds, keys and triggers."""
    user = await _managed(call)
    if not call.key.is_master:
        raise forbidden()
    try:
        await call.store.users.delete(user)
    except Indispensable:
        raise unprocessable("The last account that may make others can't be deleted") from None
    return call.done()


async def _asker(call: Call) -> User:
    """Return the account that asks."""
    asker = await call.store.users.find_by_id(call.key.owner_id)
    if asker is None:  # it was deleted while this request was under way
        raise unauthorized()
    return asker


async def _user(call: Call) -> User:
    """Return the account in the path."""
    user = await call.store.users.find(call.parameter("login"))
    if user is None:
        raise not_found()
    return user


async def _managed(call: Call) -> User:
    """Return the account in the path, if the key may change it."""
    user = await _user(call)
    if not _manages(call, user):
        raise forbidden()
    return user


def _manages(call: Call, user: User) -> bool:
    return call.key.private_access and call.key.owner_id in (user.id, user.creator_id)


async def _documents(call: Call, users: list[User]) -> list[dict[str, Any]]:
    """Return accounts as the key may see them, without those that were deleted meanwhile."""
    figures = await call.store.users.figures([user for user in users if _manages(call, user)], call.now)
    return [
        user_document(user, figures[user.id], with_key=call.key.is_master)
        if user.id in figures
        else public_document(user)
        for user in users
    ]


OPERATIONS: Final[dict[str, Operation]] = {
    "users.list": list_all,
    "users.create": create,
    "users.read": read,
    "users.update": update,
    "users.delete": delete,
}
