"""Writing SVG."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from txpachube.server.graphs.svg import element, group, number


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (1.25, "1.25"), (1.256, "1.26"), (-0.001, "0"), (1e6, "1000000"), (0.5, "0.5")],
)
def test_numbers_are_short(value: float, text: str) -> None:
    """A number has no more digits than a picture can show, and no exponent."""
    assert number(value) == text


def test_elements() -> None:
    """Attributes that are None are left out, and an underscore stands for a hyphen."""
    inside = [element("path", d="M0 0", stroke_width=1.5, fill=None), element("text", "a<b", x=1)]
    assert (
        group("g", inside, id="x")
        == '<g id="x"><path d="M0 0" stroke-width="1.5"/><text x="1">a&lt;b</text></g>'
    )


@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_texts_are_only_texts(content: str, attribute: str) -> None:
    """Whatever a text is, it comes out of the document as it went in, but for what XML can't hold."""
    root = etree.fromstring(element("text", content, title=attribute.strip("\ufffe\uffff")).encode())
    assert len(root) == 0
    kept = "".join(
        c for c in content if c in "\t\n\r" or " " <= c < "\ud800" or "\ue000" <= c < "\ufffe" or c > "\uffff"
    )
    assert (root.text or "").replace("\r", "\n") == kept.replace("\r\n", "\n").replace("\r", "\n")
