"""
The one XML parser of the package: bytes of strangers in, an lxml element or `DecodeError` out.

What a body could do to a parser, and what stops it here, before any tree is built:

====================================  =========================================================
more bytes than any document          `MAX_BYTES`, asked first
entities, external files, DTDs        a DOCTYPE is refused while looking for the root element
millions of elements or attributes    `MAX_MARKUP`, counted in the bytes
elements inside elements, forever     libxml2 gives up at 256; `MAX_DEPTH` is ours
an encoding that hides markup         `_ENCODINGS`; the parser itself only ever sees UTF-8
names made up anew in every document  parsed in a thread of their own, see below
====================================  =========================================================

**Names.** libxml2 keeps each element name, attribute name and namespace it meets in a table that
lxml shares among all documents of a thread and frees with the thread. A server lives on one thread
for years: whoever sends documents full of new names would grow it without end. Therefore a
document is first compared with the vocabulary of the API (one pass of a regular expression over its
tags). If each tag is known, it adds nothing to the table and is parsed at once; if not, it
is parsed in a thread that ends with it, which costs a fraction of a millisecond.

**Leniency.** Devices forget to declare the prefixes they use and put two addresses into one
``xmlns``. Namespaces decide nothing but the version, so such a document is repaired (`_repaired`) and read.
"""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Iterable
from typing import Final, cast

from lxml import etree

from txpachube.codecs.xmlnames import ATTRIBUTES, ELEMENTS, NAMESPACES
from txpachube.errors import DecodeError

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_MARKUP", "parse"]

MAX_BYTES: Final = 32 * 1024 * 1024
"""A thousand feeds of fifty streams are half of it. The service takes far less: its doors limit bodies."""

MAX_MARKUP: Final = 1_000_000
"""How often ``<`` and ``=`` may occur: the bound on tags and attributes, and so on memory (under 200 MB)."""

MAX_DEPTH: Final = 32
"""The deepest element of the API's documents has six others around it."""


def _any_of(names: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(name) for name in names) + ")"


def _foreign() -> re.Pattern[bytes]:
    """
    Compile the search for the first ``<`` that does not begin a tag made of known names.

    Each piece takes characters for good (``*+``) and stops at the next ``<``, so the search is linear.
    """
    declaration = _any_of(f'{name}="{uri}"' for name, uri in NAMESPACES)
    value = r"""(?:"[^"<]*+"|'[^'<]*+')"""
    attribute = rf"\s++(?:{_any_of(ATTRIBUTES)}\s*+=\s*+{value}|{declaration})"
    tag = rf"/?{_any_of(ELEMENTS)}(?:{attribute})*+\s*+/?>"
    return re.compile(rf"<(?!{tag}|\?xml [^<>?]*+\?>|!--|!\[CDATA\[)".encode())


_FOREIGN_TAG: Final = _foreign()
_FOREIGN_ENTITY: Final = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#x?[0-9A-Fa-f]{1,8});)")

# Declared encodings that are read; the value is Python's name, None stands for "it is UTF-8 already".
# Programs write "utf-16" into texts that they then send as UTF-8; real UTF-16 has a byte-order mark.
_ENCODINGS: Final[dict[bytes, str | None]] = {
    b"utf-8": None,
    b"utf8": None,
    b"us-ascii": None,
    b"ascii": None,
    b"utf-16": None,
    b"iso-8859-1": "iso-8859-1",
    b"iso8859-1": "iso-8859-1",
    b"latin-1": "iso-8859-1",
    b"latin1": "iso-8859-1",
    b"iso-8859-15": "iso-8859-15",
    b"windows-1252": "cp1252",
    b"cp1252": "cp1252",
}
_DECLARED: Final = re.compile(rb"""\s*<\?xml\s[^>?]{0,200}?encoding\s*=\s*["']([^"'>]{0,100})["']""")

_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    no_network=True,
    attribute_defaults=False,
    dtd_validation=False,
    huge_tree=False,
    recover=False,
    collect_ids=False,
    remove_blank_text=True,
    remove_comments=True,
    remove_pis=True,
)
_TOO_DEEP: Final = etree.XPath("/*" * (MAX_DEPTH + 1))

_PROLOG: Final = re.compile(rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_DOCTYPE: Final = re.compile(rb"<![^\[-]")
_ROOT_TAG: Final = re.compile(rb"""(<[^\s/>"'<]+)((?:[^<>"']|"[^"]*"|'[^']*')*+>)""")
_PREFIX: Final = re.compile(rb"[<\s/]([A-Za-z_][A-Za-z0-9_.\-]*):[A-Za-z_]")
_NAMESPACE: Final = re.compile(rb"""(\sxmlns(?::([^\s=<>"']+))?\s*=\s*)(?:"([^"]*)"|'([^']*)')""")
_MAX_PREFIXES: Final = 20
_WELL_KNOWN: Final = frozenset(uri.encode() for _, uri in NAMESPACES)

_ADVICE: Final = re.compile(r",? (?:try|use) XML_PARSE_HUGE.*", re.DOTALL)
_FUNCTION: Final = re.compile(r"^xml[A-Z]\w+: ")
_LONGEST_REASON: Final = 200


def parse(document: bytes) -> etree._Element:
    """
    Parse a document and return its root element.

    Comments and processing instructions are gone from the tree and white space between elements may be;
    no entity, DTD or file outside of the document is ever looked at.

    Raises:
        DecodeError: it is not well-formed, or larger, deeper or of another encoding than is taken.
    """
    if len(document) > MAX_BYTES:
        raise DecodeError("xml", f"The document is larger than {MAX_BYTES} bytes")
    if document.count(b"<") + document.count(b"=") > MAX_MARKUP:
        raise DecodeError("xml", "The document has too many elements and attributes")
    encoded = _as_utf8(document)
    text = encoded.lstrip(b" \t\r\n")
    skipped = encoded[: len(encoded) - len(text)].count(b"\n")
    foreign = _FOREIGN_TAG.search(text) or _FOREIGN_ENTITY.search(text)
    root = None if foreign else _parse_here(text, skipped)
    if root is None:
        root = _parse_apart(text, skipped)
    if _TOO_DEEP(root):
        raise DecodeError("xml", f"The elements are nested more than {MAX_DEPTH} deep")
    return root


def _as_utf8(document: bytes) -> bytes:
    """Return the document in UTF-8 without a byte-order mark."""
    if document.startswith(codecs.BOM_UTF8):
        return document[len(codecs.BOM_UTF8) :]
    if document.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding: str | None = "utf-16"
    else:
        declared = _DECLARED.match(document)
        if declared is None:
            return document
        name = declared[1].lower()
        if name not in _ENCODINGS:
            raise DecodeError("xml", f"The encoding {ascii(name)[2:-1]!r} is not supported", "line 1")
        encoding = _ENCODINGS[name]
    if encoding is None:
        return document
    try:
        return document.decode(encoding).encode()
    except UnicodeError:
        raise DecodeError("xml", f"The document is not valid {encoding}") from None


def _parse_here(text: bytes, skipped: int) -> etree._Element | None:
    """Parse a document of known names; None when its namespaces have to be repaired first."""
    try:
        return etree.fromstring(text, _PARSER)
    except etree.XMLSyntaxError:
        faults = _faults(_PARSER)
        if _only_namespaces(faults):
            return None
        raise _explained(faults, skipped) from None


def _parse_apart(text: bytes, skipped: int) -> etree._Element:
    """Parse a document with foreign names: refuse a DOCTYPE, repair namespaces, leave nothing behind."""
    start = _root_start(text)
    outcome: list[etree._Element | DecodeError] = []

    def run() -> None:
        # Names go to the thread that made the parser.
        parser = cast("etree.XMLParser", _PARSER.copy())
        try:
            outcome.append(etree.fromstring(text, parser))
        except etree.XMLSyntaxError:
            faults = _faults(parser)
            if not _only_namespaces(faults):
                outcome.append(_explained(faults, skipped))
                return
            try:
                outcome.append(etree.fromstring(_repaired(text, start), parser))
            except etree.XMLSyntaxError:
                outcome.append(_explained(_faults(parser), skipped))

    thread = threading.Thread(target=run, name="txpachube-xml", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # no more threads can be had: better a few names kept than a body refused
        run()
    else:
        thread.join()
    if not outcome:  # of what can happen to the thread, only this is no fault of the document's
        raise MemoryError
    result = outcome[0]
    if isinstance(result, DecodeError):
        raise result
    return result


def _root_start(text: bytes) -> int:
    """
    Return where the root element begins.

    Raises:
        DecodeError: there is a DOCTYPE before it. It can stand nowhere else in a well-formed document.
    """
    prolog = _PROLOG.match(text)
    start = prolog.end() if prolog else 0
    if _DOCTYPE.match(text, start):
        raise DecodeError("xml", "A document type declaration (DOCTYPE) is not allowed")
    return start


def _faults(parser: etree.XMLParser) -> list[etree._LogEntry]:
    """Return what a parser found wrong with its last document; an exception has those of earlier ones too."""
    return list(cast("Iterable[etree._LogEntry]", parser.error_log))


def _only_namespaces(faults: list[etree._LogEntry]) -> bool:
    """Say whether everything that is wrong with a document is wrong with its namespaces."""
    return bool(faults) and all(fault.domain == etree.ErrorDomains.NAMESPACE for fault in faults)


def _repaired(text: bytes, start: int) -> bytes:
    """
    Declare the prefixes that were used without, and replace namespaces that are none.

    Only the root's tag changes. What looks like a prefix in ordinary text is declared too: no harm.
    """
    tag = _ROOT_TAG.match(text, start)
    if tag is None:
        return text
    declared = {found[2] for found in _NAMESPACE.finditer(tag[2])}
    used = set(_PREFIX.findall(text)) - declared - {b"xml", b"xmlns"}
    if len(used) > _MAX_PREFIXES:
        return text
    missing = b"".join(b' xmlns:%b="ignored:%b"' % (prefix, prefix) for prefix in sorted(used))

    def kept(found: re.Match[bytes]) -> bytes:
        uri = found[3] if found[3] is not None else found[4]
        return found[0] if uri in _WELL_KNOWN else b'%b"ignored:at-%d"' % (found[1], found.start())

    return text[:start] + tag[1] + missing + _NAMESPACE.sub(kept, tag[2]) + text[tag.end() :]


def _explained(faults: list[etree._LogEntry], skipped: int) -> DecodeError:
    """Turn the parser's complaint into ours, that of a namespace only if there is no other."""
    message, line = "", 1
    for fault in faults:
        message, line = fault.message or "", fault.line or 1
        if fault.domain != etree.ErrorDomains.NAMESPACE:
            break
    reason = _ADVICE.sub("", _FUNCTION.sub("", message)).strip()
    if reason.startswith("Excessive depth"):
        reason = f"The elements are nested more than {MAX_DEPTH} deep"
    if len(reason) > _LONGEST_REASON:
        reason = reason[:_LONGEST_REASON] + "..."
    return DecodeError("xml", reason or "The document is not well-formed", f"line {line + skipped}")
