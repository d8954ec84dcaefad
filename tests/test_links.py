"""Links in the documentation point to files and headings that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "results", "benchmarks", "examples") for page in (ROOT / folder).rglob("*.md")),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")


def prose(page):
    """The text of a page without code."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", "\n".join(line for line in text.splitlines() if not line.startswith("    ")))


def anchors(page):
    """Anchors of the headings, as GitHub derives them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(page, root=ROOT):
    """The links of a page that lead nowhere."""
    found = []
    for link in (one or two for one, two in LINK.findall(prose(page))):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.is_relative_to(root) or not target.exists():
            found.append(link)
        elif anchor:
            text = target / "README.md" if target.is_dir() else target
            if anchor not in anchors(text):
                found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_exist(page):
    assert broken(page) == []


FILE = re.compile(r"(?<![\w/.-])(?:benchmarks|docs|examples|tests|ssd_cli)/[\w/.-]+\.(?:py|yaml|md|txt|csv)\b")
SOURCES = [
    *(page for page in PAGES if "results" not in page.parts and page.name != "CHANGELOG.md"),
    *(path for folder in ("ssd_cli", "benchmarks") for pattern in ("*.py", "*.yaml") for path in (ROOT / folder).rglob(pattern)),
    ROOT / "Makefile",
]


def test_named_files_exist():
    """Files that texts and comments name by their path; a line that names a commit speaks of that commit."""
    gone = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in SOURCES
        for line in path.read_text(encoding="utf-8").splitlines()
        if "commit" not in line
        for name in FILE.findall(line)
        if not (ROOT / name).exists()
    ]
    assert gone == []


def test_a_broken_link_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A head: line\n[a](gone.md) [b](#a-head-line) [c](#none) [d](https://example.org/x) `[e](code.md)`\n")
    assert broken(page, tmp_path) == ["gone.md", "#none"]


def test_pages_are_found():
    assert {ROOT / "README.md", ROOT / "docs" / "data.md", ROOT / "results" / "study" / "README.md"} <= set(PAGES)
