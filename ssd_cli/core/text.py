"""Texts of data in a safe form: for a terminal or a figure, and for a cell of a spreadsheet."""

from __future__ import annotations

import re
import unicodedata

_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Unicode categories of control and format characters, surrogates, and separators of lines and paragraphs."""
_NUMBER = re.compile(r"\+?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def printable(text: str) -> str:
    r"""Return the text with its control characters as escapes such as ``\x1b``; newlines and tabs stay.

    Control characters can move the cursor of a terminal, and are not permitted in SVG. Bytes of file names that are not UTF-8 are
    surrogates in Python, which cannot be encoded.
    """
    if text.isprintable():
        return text
    return "".join(sign if sign in "\n\t" or unicodedata.category(sign) not in _UNPRINTABLE else _escape(sign) for sign in text)


def spreadsheet_cell(text: str) -> str:
    """Return the text, after an apostrophe if a spreadsheet would take it for a formula; numbers stay.

    Such texts begin with ``=``, ``+``, ``@``, a tab or a carriage return (OWASP, "CSV Injection"). Texts that begin with ``-``
    stay, because options of the command line, which stand in tables, begin with it.
    """
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t", "\r") and not _NUMBER.fullmatch(text) else text


def _escape(sign: str) -> str:
    return sign.encode("unicode_escape").decode()
