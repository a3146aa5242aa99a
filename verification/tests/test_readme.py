"""The Python code of the README files runs as it stands and prints what the page says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
PAGES += [path for package in ("layers", "mnist", "verification") for path in sorted((ROOT / package).rglob("*.md"))]

CODE_AND_TEXT = re.compile(r"```python\n(.*?)```(?:\s*```text\n(.*?)```)?", flags=re.DOTALL)
"""A block of code and, if it stands right below, the block of text that it prints (or a part of that)."""

LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
"""The file that a link leads to."""


def examples():
    """Yield page, line, code and text of every block of code."""
    for page in PAGES:
        content = page.read_text(encoding="utf-8")
        for block in CODE_AND_TEXT.finditer(content):
            marks = [pytest.mark.forks] if "isolated=True" in block[1] else []
            line = content.count("\n", 0, block.start(1))
            yield pytest.param(page.relative_to(ROOT), line, block[1], block[2] or "", marks=marks)


EXAMPLES = list(examples())


# Numbers as ids: `-k mnist` is to choose the tests of mnist alone, whatever page the code stands on.
@pytest.mark.parametrize(("page", "line", "code", "text"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_code_runs_and_prints_what_the_page_says(page, line, code, text, capsys):
    for name in re.findall(r"^import (torch|jax)$", code, flags=re.MULTILINE):
        pytest.importorskip(name, reason=f'{name} is not installed (pip install -e ".[{name}]")')
    # Empty lines before the code, so that an error names the line of the page.
    exec(compile("\n" * line + code, str(page), "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out
    for said in [text, *re.findall(r"^print\(report\)  # (.*)", code, flags=re.MULTILINE)]:
        assert said in printed, f"{page}, line {line}: the page says\n\n{said}\n\nbut the code prints\n\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=range(len(PAGES)))
def test_links_lead_to_files(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}, which is not there"
