"""
What all structures have in common.

A structure is a set of attributes named like the JSON fields, each with a converter
(`txpachube.structures.convert`). Between attributes and bytes stand plain dicts in the JSON
spelling::

    attributes  <-- toDict / keywords -->  dict  <-- txpachube.codecs -->  bytes

- An attribute that was not given is None and is left out. Whatever was given is written, also ``0``,
  ``False``, ``""`` and ``[]``: the service clears a field that is present and empty.
- Keywords and fields that a structure does not know are ignored, since services add fields.
- `encode` writes exactly what was given and adds nothing: what is absent from an update stays as it is.
- Reading replaces all attributes, and only after the whole document was understood.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeVar

import attrs

from txpachube.errors import DecodeError, InvalidValue
from txpachube.fields import DataFormats
from txpachube.structures import convert
from txpachube.structures.documents import Document, Forms, forms_of

if TYPE_CHECKING:
    from lxml.etree import _Element

__all__ = ["AS_TEXT", "SECRET", "VERSION_MARK", "Structure", "converted", "named", "tolerant"]

SECRET: Final = {"secret": True}
"""Metadata of an attribute that `repr` does not show."""

AS_TEXT: Final = {"written": lambda value: "true" if value else "false"}
"""Metadata of a boolean that documents write as text."""

# The fields are always written in the layout of 1.0.0, whatever the document they came from was: an
# older mark beside them would make the service look for the values in other places.
VERSION_MARK: Final = {"written": lambda value: value if value.startswith("1.") else "1.0.0"}
"""Metadata of the version of a document."""

_S = TypeVar("_S", bound="Structure")
_C = TypeVar("_C", bound="type[Structure]")
_Source = TypeVar("_Source")

# Converters that return a text as it is.
_LEAVE_TEXTS: Final = (convert.text, convert.moment, convert.version)

_DECLARED_ENCODING: Final = re.compile(r"\A(\ufeff?\s*<\?xml[^>]*?)\s+encoding\s*=\s*(?:\"[^\"]*\"|'[^']*')")


def named(name: str) -> dict[str, str]:
    """Return the metadata of an attribute whose JSON name differs from its own."""
    return {"json": name}


class _Reader(Generic[_Source]):
    """
    A method of the class, where it makes a new object, and of an object, which it fills and returns.

    Both ways of calling are in use: ``Unit.fromDict(d)`` and ``Unit().fromDict(d)``.
    """

    def __init__(self, fields: Callable[[type[Structure], _Source], Mapping[str, Any]]) -> None:
        self._fields = fields
        self.__doc__ = fields.__doc__

    def __get__(self, instance: _S | None, owner: type[_S]) -> Callable[[_Source], _S]:
        def read(source: _Source) -> _S:
            made = owner._of(self._fields(owner, source))
            if instance is None:
                return made
            instance._take(made)
            return instance

        read.__doc__ = self.__doc__
        return read


class Structure:
    """Base of the structures; see the module."""

    __slots__ = ()

    _forms: ClassVar[Forms]
    # Names under which a document may wrap the fields: {"key": {...}}.
    _wrappers: ClassVar[tuple[str, ...]] = ()
    # Other names of attributes, besides the JSON names in their metadata.
    _aliases: ClassVar[Mapping[str, str]] = {}
    # (attribute, JSON name, metadata) of each attribute, filled in by `tolerant`.
    _layout: ClassVar[tuple[tuple[str, str, Mapping[str, Any]], ...]] = ()
    # (name, setter of the slot, converter, whether it leaves texts alone) of each attribute; empty where
    # a field has several names or what was not given is not None. Filled in by `tolerant`.
    _slots: ClassVar[tuple[tuple[str, Callable[[Any, Any], None], Callable[[Any], Any], bool], ...]] = ()

    if TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None: ...

    def encode(self, format: str = DataFormats.JSON) -> str:  # noqa: A002 - the public API's own word
        """
        Return the document of this structure as text.

        XML carries no encoding declaration, since the text is not bytes in any encoding yet.

        Args:
            format: one of `DataFormats`. CSV exists for feeds, lists of feeds, datastreams and
                datapoints, and carries values only.

        Raises:
            InvalidValue: the structure has no such format (PNG is an image, not a document), or it
                holds something the format cannot carry.
        """
        document = self._document(format)
        try:
            body = document.write(self).decode("utf-8")
        except InvalidValue:
            raise
        except ValueError as problem:  # lone surrogates; characters that XML has not
            reason = f"text that {format} can carry ({_reason(problem)})"
            raise InvalidValue(type(self).__name__, type(self), reason) from None
        return _without_encoding(body) if format == DataFormats.XML else body

    def decode(self, data: str | bytes, format: str = DataFormats.JSON) -> Self:  # noqa: A002 - as in encode
        """
        Fill this structure from a document and return it.

        All attributes become those of the document. If the document cannot be read, nothing changes.

        Args:
            data: the document. An encoding declared in a ``str`` is meaningless and ignored.
            format: one of `DataFormats`.

        Raises:
            DecodeError: the document is not of this format; the error says where and why.
            InvalidValue: a field has a value that is not allowed, or there is no such format.
        """
        document = self._document(format)
        if isinstance(data, str):
            written = _without_encoding(data) if format == DataFormats.XML else data
            try:
                data = written.encode("utf-8")
            except UnicodeEncodeError as problem:
                raise DecodeError(format, f"not text: {_reason(problem)}") from None
        self._take(type(self).fromDict(document.read(bytes(data))))
        return self

    def _document(self, format: str) -> Document:  # noqa: A002 - as in encode
        try:
            return self._forms.documents[format]
        except (KeyError, TypeError):
            raise InvalidValue("format", format, list(self._forms.documents)) from None

    def toDict(self) -> dict[str, Any]:
        """Return the attributes that were given, as plain data named and ordered like the JSON fields."""
        fields: dict[str, Any] = {}
        for attribute, name, metadata in self._layout:
            value = getattr(self, attribute)
            if value is None:
                continue
            if isinstance(value, str | int | float):
                written = metadata.get("written")
                fields[name] = value if written is None else written(value)
            else:
                fields[name] = self._plain(attribute, value)
        return fields

    def _plain(self, attribute: str, value: Any) -> Any:
        """Return the plain form of an attribute that is not a scalar."""
        if isinstance(value, Structure):
            return value.toDict()
        return [element.toDict() if isinstance(element, Structure) else element for element in value]

    @_Reader
    def fromDict(cls: type[Structure], fields: Any) -> Mapping[str, Any]:  # noqa: N805 - called with the class
        """Take the fields of a dict in the JSON spelling; unknown ones are ignored, a root is taken off."""
        return cls._fields_of(fields)

    @_Reader
    def fromXml(cls: type[Structure], element: _Element) -> Mapping[str, Any]:  # noqa: N805 - as above
        """Take the fields of an lxml element; elements are found by their local names."""
        return cls._fields_of(cls._forms.element.read(element))

    def toXml(self) -> _Element:
        """Return the structure as an lxml element."""
        return self._forms.element.write(self.toDict())

    @classmethod
    def _fields_of(cls, source: Any) -> Mapping[str, Any]:
        if not isinstance(source, Mapping):
            raise InvalidValue(cls.__name__, type(source), "a dict of its fields")
        return source

    @classmethod
    def _of(cls, fields: Mapping[str, Any]) -> Self:
        """
        Return the structure of a dict of fields: the same as ``cls(**fields)``.

        Where it can, it goes through the slots and not through the keywords, in half the time: documents
        have hundreds of such dicts.
        """
        slots, get = cls._slots, fields.get
        if not slots:
            return cls(**fields)
        made = cls.__new__(cls)
        try:
            for name, put, conversion, leaves_texts in slots:
                value = get(name)
                ready = value is None or (leaves_texts and type(value) is str)
                put(made, value if ready else conversion(value))
        except InvalidValue:
            return cls(**fields)  # raises it too, with the name of the field
        return made

    def _take(self, other: Structure) -> None:
        for attribute, _, _ in self._layout:
            object.__setattr__(self, attribute, getattr(other, attribute))

    def _root(self) -> Any:
        """Return the JSON document as plain data: the fields, under their root where the API has one."""
        return self.toDict()

    def __str__(self) -> str:
        return json.dumps(self._root(), indent=4, sort_keys=True, ensure_ascii=False)

    def __repr__(self) -> str:
        shown = []
        for attribute, _, metadata in self._layout:
            value = getattr(self, attribute)
            if value is not None:
                shown.append(f"{attribute}={'***' if 'secret' in metadata else repr(value)}")
        return f"{type(self).__name__}({', '.join(shown)})"


def converted(instance: Any, attribute: attrs.Attribute[Any], value: Any) -> Any:
    """Convert a value that is assigned to an attribute, naming the attribute when that fails."""
    conversion: Any = attribute.converter
    try:
        return conversion(value)
    except InvalidValue as problem:
        if problem.field:
            raise
        raise InvalidValue(attribute.name, problem.value, problem.allowed) from None


def tolerant(cls: _C) -> _C:
    """
    Let a structure be built from the keywords of any document, and name the field of an invalid value.

    Applied above `attrs.define`, whose ``__init__`` keeps its exact types for type checkers; at run
    time unknown keywords are dropped, other spellings translated and wrapped fields unwrapped.
    """
    cls._forms = forms_of(cls.__name__)
    fields: Any = attrs.fields(cls)  # type: ignore[arg-type] # it is an attrs class, see above
    cls._layout = tuple(
        (field.name, field.metadata.get("json", field.name), field.metadata) for field in fields
    )
    one_name_each = all(name == json_name for name, json_name, _ in cls._layout)
    none_stays = all(field.default is None for field in fields)
    if one_name_each and none_stays and not cls._wrappers and not cls._aliases:
        cls._slots = tuple(
            (field.name, cls.__dict__[field.name].__set__, field.converter, field.converter in _LEAVE_TEXTS)
            for field in fields
        )
    known = frozenset(field.name for field in fields)
    spellings = {json_name: name for name, json_name, _ in cls._layout} | dict(cls._aliases)
    strict = cls.__init__

    @functools.wraps(strict)
    def __init__(self: Structure, **given: Any) -> None:  # noqa: N807 - becomes the method of that name
        if not given.keys() <= known:
            given = _understood(given, known, spellings, cls._wrappers)
        try:
            strict(self, **given)
        except InvalidValue as problem:
            if not problem.field:
                for field in fields:
                    converted(self, field, given.get(field.name))
            raise

    cls.__init__ = __init__  # type: ignore[method-assign] # the typed one stays what checkers see
    return cls


def _understood(
    given: Mapping[str, Any], known: frozenset[str], spellings: Mapping[str, str], wrappers: Iterable[str]
) -> dict[str, Any]:
    for wrapper in wrappers:
        inner = given.get(wrapper)
        if isinstance(inner, Mapping):
            given = inner
            break
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name in known:
            fields[name] = value
        elif name in spellings:
            fields.setdefault(spellings[name], value)
    return fields


def _without_encoding(text: str) -> str:
    return _DECLARED_ENCODING.sub(r"\1", text, count=1)


def _reason(problem: ValueError) -> str:
    # A UnicodeError's own text shows the whole document, which may hold a key.
    return (
        problem.reason if isinstance(problem, UnicodeError) and hasattr(problem, "reason") else str(problem)
    )
