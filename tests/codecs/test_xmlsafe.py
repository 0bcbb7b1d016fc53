"""The parser that strangers' XML meets."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import textwrap
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from txpachube.codecs import xmlsafe
from txpachube.codecs.xmlsafe import MAX_BYTES, MAX_DEPTH, MAX_MARKUP, parse
from txpachube.codecs.xmltext import text_of
from txpachube.errors import DecodeError

MIB = 1024 * 1024
UNHURRIED = settings(deadline=None)  # a thread may start late on a busy machine

MEASURE = """
import json, resource, sys, time
from txpachube.codecs.xmlsafe import parse
from txpachube.errors import DecodeError

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def peak():
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024

def outcome(body):
    "Parse; return how long it took, how much more memory it needed, and what the error said."
    # Much address space may be reserved for a thread; what counts is what is used of it.
    in_use = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + (512 << 20), resource.RLIM_INFINITY))
    with open("/proc/self/clear_refs", "w") as reset:
        reset.write("5")
    before, begin = resident(), time.process_time()
    try:
        parse(body)
        said = None
    except DecodeError as problem:
        said = str(problem)
    seconds = time.process_time() - begin
    return {"seconds": seconds, "bytes": peak() - before, "said": said}
"""


def in_child(code: str) -> Any:
    """Run code after MEASURE in a process of its own and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def reason(body: bytes) -> str:
    with pytest.raises(DecodeError) as caught:
        parse(body)
    assert caught.value.format == "xml"
    return str(caught.value)


# Attacks


ATTACKS = {
    "entities that double 100 times": (
        """b'<!DOCTYPE x [<!ENTITY a "ha">'
        + b''.join(b'<!ENTITY a%d "&a%d;&a%d;">' % (i + 1, i, i) for i in range(100)).replace(b'&a0;', b'&a;')
        + b']><x>&a100;</x>'""",
        "DOCTYPE",
    ),
    "100 MB of one attribute after another": ("b'<x ' + b'a=\"b\" ' * 17_500_000 + b'/>'", "larger than"),
    "30 MB of attributes": (
        "b'<x ' + b' '.join(b'a%d=\"\"' % i for i in range(2_500_000)) + b'/>'",
        "too many",
    ),
    "30 MB of elements": ("b'<x>' + b'<y/>' * 7_500_000 + b'</x>'", "too many"),
    "depth 10 000": ("b'<x>' * 10_000 + b'</x>' * 10_000", "nested"),
    "depth 300 000 of a known name": ("b'<data>' * 300_000", "nested"),
    "a comment that never ends": ("b'<!-- ' + b'-' * 10_000_000", "omment"),
    "a tag that never ends": ("b'<x' + b' ' * 10_000_000", ""),
    "a quote that never ends": ("b'<x a=\"' + b'a' * 10_000_000", ""),
    "a name of 10 MB": ("b'<' + b'a' * 10_000_000 + b'/>'", "exceeded"),
}


@pytest.mark.parametrize(("body", "says"), ATTACKS.values(), ids=ATTACKS.keys())
def test_attacks_are_refused_quickly_and_in_little_memory(body: str, says: str) -> None:
    """A document made to cost time or memory is refused in half a second, within 48 MiB."""
    outcome = in_child(f"body = ({body})\nprint(json.dumps(outcome(body)))")
    assert outcome["said"] is not None
    assert says in outcome["said"]
    assert outcome["seconds"] < 0.5
    assert outcome["bytes"] < 48 * MIB


COSTLY = {
    "elements": "b'<x>' + b'<y/>' * 262_000 + b'</x>'",
    "known elements": "b'<tag>' + b'<tag/>' * 174_000 + b'</tag>'",
    "attributes": "b'<x ' + b' '.join(b'a%d=\"\"' % i for i in range(95_000)) + b'/>'",
    "namespaces": "b'<x ' + b' '.join(b'xmlns:a%d=\"u%d\"' % (i, i) for i in range(47_000)) + b'/>'",
    "undeclared prefixes": "b'<x>' + b'<a:b/>' * 174_000 + b'</x>'",
    "different undeclared prefixes": "b'<x>' + b''.join(b'<a%d:b/>' % i for i in range(95_000)) + b'</x>'",
    "comments first": "b'<!---->' * 149_000 + b'<x/>'",
    "comments that do not end": "b'<!-- ' * 209_000 + b'<x/>'",
    "instructions that do not end": "b'<?a b' * 209_000 + b'<x/>'",
    "quotes that do not end": "b'<tag at=\"' * 116_000",
    "blanks in tags": "(b'<tag' + b' ' * 100 + b'at' + b' ' * 100) * 5_000",
    "one tag of blanks": "b'<tag' + b' ' * 1_048_000 + b'x'",
    "a declaration that does not end": "b'<?xml ' + b'encoding ' * 116_000",
}


@pytest.mark.parametrize("body", COSTLY.values(), ids=COSTLY.keys())
def test_the_worst_body_of_one_mebibyte_is_cheap(body: str) -> None:
    """No document of the size that the service takes keeps the parser busy for long, or needs 64 MiB."""
    outcome = in_child(f"body = {body}\nprint(json.dumps(outcome(body)))")
    assert outcome["seconds"] < 1.0
    assert outcome["bytes"] < 64 * MIB


def test_external_entities_are_not_read(tmp_path: Any) -> None:
    """A document cannot make the parser look at a file."""
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    body = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]><x>&e;</x>'.encode()
    said = reason(body)
    assert "DOCTYPE" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE x><x/>",
        b'<?xml version="1.0"?>\n<!DOCTYPE x><x/>',
        b"<!-- c --><?p q?>\n<!DOCTYPE x SYSTEM 'http://192.0.2.1/x.dtd'><x/>",
        b"\xef\xbb\xbf<!DOCTYPE x><x/>",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><x/>'.encode("utf-16"),
        b"<!doctype x><x/>",
        b'<!DOCTYPE eeml PUBLIC "-//W3C//DTD" ""><eeml/>',
    ],
)
def test_a_doctype_is_refused(body: bytes) -> None:
    """A document with a DOCTYPE is not read, whatever stands before it."""
    assert "DOCTYPE" in reason(body)


@pytest.mark.parametrize("body", [b"<x><![CDATA[<!DOCTYPE x>]]></x>", b"<x><!-- <!DOCTYPE x> -->1</x>"])
def test_the_word_doctype_in_content_is_no_doctype(body: bytes) -> None:
    """Text that looks like a DOCTYPE is text."""
    assert parse(body).tag == "x"


@pytest.mark.parametrize("name", [b"nbsp", b"xxe", b"a" * 100])
def test_undefined_entities_are_refused(name: bytes) -> None:
    """Only the five entities of XML itself exist."""
    assert "not defined" in reason(b"<x>&" + name + b";</x>")


def test_the_entities_of_xml_and_character_references_are_read() -> None:
    """The five entities and references by number give their characters."""
    body = b"<x>&lt;&gt;&amp;&quot;&apos;&#233;&#xE9;</x>"
    assert parse(body).text == "<>&\"'éé"


def test_depth_is_limited() -> None:
    """Elements may be nested as deep as the limit says and no deeper."""
    assert parse(b"<x>" * MAX_DEPTH + b"</x>" * MAX_DEPTH).tag == "x"
    assert f"more than {MAX_DEPTH} deep" in reason(b"<x>" * (MAX_DEPTH + 1) + b"</x>" * (MAX_DEPTH + 1))


def test_size_is_limited() -> None:
    """A document of the largest size is read; one byte more is refused."""
    text = b" " * (MAX_BYTES - 4)
    assert parse(text + b"<x/>").tag == "x"
    assert "larger" in reason(text + b" <x/>")


def test_markup_is_limited() -> None:
    """What looks like a tag or an attribute is counted, and too much of it refused."""
    assert "too many" in reason(b"<x>" + b"=" * MAX_MARKUP + b"</x>")


# Names


def test_names_made_up_by_strangers_do_not_pile_up() -> None:
    """The memory of a process that reads documents full of new names stays as it is."""
    growth = in_child(
        """
        def read(body):
            try:
                parse(body)
            except DecodeError:
                pass
        def rounds(first, last):
            for i in range(first, last):
                read(b"<a>" + b"".join(b"<n%x_%x/>" % (i, j) for j in range(40_000)) + b"</a>")
                read(b"<data>" + b"".join(b'<tag n%x_%x="1"/>' % (i, j) for j in range(30_000)) + b"</data>")
                read(b"<a>" + b"".join(b'<b xmlns="u%x_%x"/>' % (i, j) for j in range(30_000)) + b"</a>")
                for form in (b"<a%d_%s", b"<data a%d_%s", b"<data>&a%d_%s;", b"<?p%d_%s", b"<tag a%d_%s='"):
                    read(form % (i, b"a" * 40_000))
        rounds(0, 5)
        before = resident()
        rounds(5, 25)
        print(json.dumps(resident() - before))
        """
    )
    assert growth < 16 * MIB  # kept for good, the names of these twenty rounds take over 80 MiB


def test_documents_of_known_names_are_parsed_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The documents that nearly everybody sends take the short way."""
    monkeypatch.setattr(xmlsafe, "_parse_apart", None)
    body = b"""<?xml version="1.0" encoding="UTF-8"?>
    <eeml xmlns="http://www.eeml.org/xsd/0.5.1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
          version="0.5.1" xsi:schemaLocation="http://www.eeml.org/xsd/0.5.1 http://example.org/x.xsd">
      <!-- a comment --> <environment updated='2013-06-01T10:00:00Z'><title>A &amp; B &#233;</title>
      <data id = "0" ><value
         minValue="1">5</value><unit type="derivedSI" symbol="C"><![CDATA[x]]></unit></data></environment>
    </eeml>"""
    assert parse(body).tag == "{http://www.eeml.org/xsd/0.5.1}eeml"


def test_without_threads_documents_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the system has no thread to give, a document with other names is still read."""

    def refuse(self: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("threading.Thread.start", refuse)
    assert parse(b"<other>1</other>").text == "1"
    assert "not defined" in reason(b"<other>&x;</other>")


# Leniency


def test_prefixes_may_be_undeclared() -> None:
    """Prefixes that were never declared, on elements and attributes, do no harm."""
    root = parse(b'<eeml xsi:schemaLocation="a b" ><q:environment z:id="1">x: y</q:environment></eeml>')
    assert root.tag == "eeml"
    assert [child.tag.rpartition("}")[2] for child in root] == ["environment"]
    assert root[0].text == "x: y"


def test_declared_and_undeclared_prefixes_may_be_mixed() -> None:
    """Only what is missing is declared; the namespaces that were given stay."""
    body = b'<?xml version="1.0"?><!-- <x:y> --><e:eeml xmlns:e="http://www.eeml.org/xsd/005"><a:b/></e:eeml>'
    root = parse(body)
    assert root.tag == "{http://www.eeml.org/xsd/005}eeml"
    assert len(root) == 1


def test_a_namespace_may_be_no_address() -> None:
    """Two addresses in one xmlns, as some programs write them, do no harm."""
    root = parse(b'<eeml xmlns="http://www.eeml.org/xsd/0.5.1 http://example.org/0.5.1.xsd"><data/></eeml>')
    assert root.tag.endswith("}eeml")
    assert len(root) == 1


def test_a_document_that_cannot_be_repaired_is_refused_with_its_own_fault() -> None:
    """The error tells what is really wrong, not that a prefix is undeclared, and where it is."""
    assert "is not defined" in reason(b"<p:x " + b" ".join(b'q%d:a="1"' % i for i in range(50)) + b"/>")
    assert reason(b"<p:x><a>\n</b></p:x>").endswith("at line 2")


def test_comments_and_instructions_in_a_text_vanish() -> None:
    """A comment in the middle of a value does not cut the value."""
    root = parse(b"<value>1<!-- x -->2<![CDATA[3]]><?p q?>4</value>")
    assert root.text == "1234"


def test_blanks_before_the_declaration_are_skipped_and_counted() -> None:
    """Line feeds before the document do no harm, and lines of errors count them."""
    assert parse(b'\r\n \n<?xml version="1.0"?><x/>').tag == "x"
    assert reason(b'\n\n<?xml version="1.0"?>\n<x>').endswith("at line 4")


# Encodings


@pytest.mark.parametrize(
    "body",
    [
        "<x>é€</x>".encode(),
        b"\xef\xbb\xbf" + "<x>é€</x>".encode(),
        '<?xml version="1.0" encoding="UTF-8"?><x>é€</x>'.encode(),
        b"\xef\xbb\xbf" + '<?xml version="1.0" encoding="utf-8"?><x>é€</x>'.encode(),
        "<x>é€</x>".encode("utf-16"),
        b"\xfe\xff" + "<x>é€</x>".encode("utf-16-be"),
        '<?xml version="1.0" encoding="UTF-16"?><x>é€</x>'.encode("utf-16"),
        '<?xml version="1.0" encoding="utf-16"?><x>é€</x>'.encode(),  # a lie that .NET programs tell
        "<?xml version='1.0' encoding='windows-1252'?><x>é€</x>".encode("cp1252"),
        '<?xml version="1.0" encoding="ISO-8859-15" standalone="yes"?><x>é€</x>'.encode("iso-8859-15"),
    ],
)
def test_encodings_that_are_read(body: bytes) -> None:
    """UTF-8 with or without mark, UTF-16 with mark, and declared Western encodings give the same text."""
    assert parse(body).text == "é€"


def test_latin_1_is_read_when_declared() -> None:
    """A document that says it is Latin-1 is read as Latin-1; one that does not say so is not."""
    assert parse('<?xml version="1.0" encoding="iso-8859-1"?><x>é</x>'.encode("latin-1")).text == "é"
    assert parse('\r\n<?xml version="1.0" encoding="LATIN1"?><x>é</x>'.encode("latin-1")).text == "é"
    assert "encoding" in reason("<x>é</x>".encode("latin-1"))


@pytest.mark.parametrize(
    "name", ["utf-7", "UTF-32", "cp037", "idna", "shift_jis", "base64", "x" * 90, "\u00e9"]
)
def test_other_encodings_are_refused(name: str) -> None:
    """An encoding in which markup could hide is refused by its name."""
    body = f'<?xml version="1.0" encoding="{name}"?>'.encode() + b"+ADwAIQ-DOCTYPE x+AD4-<x/>"
    assert "not supported" in reason(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe<",
        b"\xff\xfe\x00\xd8<\x00",
        b"\xfe\xff<",
        b'<?xml version="1.0" encoding="windows-1252"?><x>\x81</x>',
        "<x/>".encode("utf-32"),
        "<x/>".encode("utf-16-le"),
        "<x/>".encode("cp037"),
        b"<x>\xed\xa0\x80</x>",
        b"<x>\xc0\xbc</x>",
    ],
)
def test_bytes_that_are_no_text_are_refused(body: bytes) -> None:
    """What is not text in its encoding, or in an undeclared one, is a decoding error."""
    reason(body)


# Errors


@pytest.mark.parametrize(
    ("body", "line"),
    [(b"", 1), (b"   ", 1), (b"x", 1), (b"<x>\n<y>\n</x>", 3), (b"<x a='1' a='2'/>", 1), (b"<x>\x0b</x>", 1)],
)
def test_errors_name_the_line_and_no_file(body: bytes, line: int) -> None:
    """An error says on which line the fault is, and nothing of the file names that lxml invents."""
    with pytest.raises(DecodeError) as caught:
        parse(body)
    assert caught.value.where == f"line {line}"
    assert "<string>" not in str(caught.value)
    assert "column" not in caught.value.reason
    assert "\n" not in str(caught.value)


def test_errors_are_short() -> None:
    """However long the faulty part is, the error stays readable and gives no parser's advice."""
    said = reason(b"<x>&" + b"a" * 1000 + b";</x>")
    assert len(said) < 250
    assert said.endswith("aaa... - at line 1")
    assert "HUGE" not in reason(b"<tag>" + b"x" * 11_000_000 + b"</tag>")


PIECES = st.sampled_from(
    [
        "<eeml>", "</eeml>", "<environment>", "</environment>", "<data id='1'>", "</data>", "<p:x>", "</p:x>",
        "<x ", "a='1' ", "b:c='2'", "xmlns='u v'", "xmlns:b='w'", ">", "/>", "<!DOCTYPE x>", "<!--", "-->",
        "<![CDATA[", "]]>", "<?", "?>", "&amp;", "&x;", "&#0;", "&#65;", '"', "'", "é", "\x00", "\ud800",
        "\ufffe", " ", "\n", "text", "<?xml version='1.0' encoding='utf-16'?>",
        "<?xml version='1.0' encoding='latin1'?>",
    ]
)  # fmt: skip


@UNHURRIED
@given(st.binary(max_size=200))
@example(b"<\xff\xfe")
def test_only_decode_errors_leave_the_parser_for_bytes(body: bytes) -> None:
    """Whatever bytes come, there is a tree or a DecodeError."""
    _parse_or_refuse(body)


@UNHURRIED
@given(st.lists(PIECES, max_size=20).map("".join), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
@example("<p:x>", "utf-8")
@example("<x b:c='2'/><!--", "utf-8")
def test_only_decode_errors_leave_the_parser_for_pieces_of_xml(text: str, encoding: str) -> None:
    """Whatever pieces of documents come in whatever order, there is a tree or a DecodeError."""
    _parse_or_refuse(text.encode(encoding, "replace" if encoding == "latin-1" else "surrogatepass"))


def _parse_or_refuse(body: bytes) -> None:
    with contextlib.suppress(DecodeError):
        text_of(parse(body))
