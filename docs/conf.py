"""How Sphinx builds the documentation; ``make docs`` runs it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))

import facts  # noqa: E402 - it lies beside this file, see above

from txpachube import __version__  # noqa: E402 - as above

project = "txpachube"
author = "The txpachube authors"
copyright = author  # noqa: A001 - Sphinx's own name
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build", "_ext"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# In docstrings, a name in single backquotes is one of ours or plain code; it is a link where it can be.
default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "txpachube"
html_copy_source = False
html_show_sphinx = False


def fill(app: Any, page: str, source: list[str]) -> None:
    """Put what is generated from the code where a page asks for it."""
    source[0] = facts.filled(source[0])


def tidy(
    app: Any, what: str, name: str, thing: Any, options: Any, signature: str | None, returned: str
) -> Any:
    """Write what is not given as None, and interfaces by their names; both have no text of their own."""
    if signature is None:
        return None
    signature = re.sub(r"attr_dict\['\w+'\]\.default", "None", signature)
    return re.sub(r"<InterfaceClass [\w.]*?(\w+)>", r"\1", signature), returned


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", tidy)
    app.connect("source-read", fill)
