"""The documents say what is so."""

from __future__ import annotations

import ast
import re
import tomllib
from dataclasses import MISSING, fields
from inspect import getsource, signature
from pathlib import Path

import pytest

from ticketing import api
from ticketing.commands.importing import import_github
from ticketing.ground.config import PREFIX, Settings
from ticketing.sources.files import LINE

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_readme_lists_every_setting() -> None:
    comments = {name: text for text, name in re.findall(r"    #: (.+)\n    (\w+):", getsource(Settings))}
    defaults = {f.name: "–" if f.default in (MISSING, "") else f"`{f.default}`" for f in fields(Settings)}
    table = (ROOT / "README.md").read_text().split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    assert table.strip().splitlines()[2:] == [
        f"| `{PREFIX}{name.upper()}` | {default} | {comments[name]} |" for name, default in defaults.items()
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_paths_and_links_in_documents_exist(document: Path) -> None:
    text = document.read_text()
    named = re.findall(r"\]\((?!http)([^)#]+)\)", text)
    named += re.findall(r"`((?:spec|sql|src|migrations|tests|scripts)/[\w/.-]+)`", text)
    missing = [path for path in named if not ((ROOT / path).exists() or (document.parent / path).exists())]
    assert missing == []


def test_tests_named_in_documents_exist() -> None:
    written = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for document in DOCUMENTS for name in re.findall(r"`(test_\w+)`", document.read_text())}
    assert {name for name in named if f"def {name}(" not in written} == set()


def test_make_targets_in_documents_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for document in DOCUMENTS:
        for target in re.findall(r"(?:`|\$ )make ([a-z0-9-]+)", document.read_text()):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document.name}: make {target}"


def test_documents_install_nobody_else_s_package() -> None:
    name = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["name"]
    for document in DOCUMENTS:
        for installed in re.findall(r"pip install .*?\b(ticketing[\w-]*)(?![\w-]*/)", document.read_text()):
            assert installed.replace("_", "-").startswith(name), f"{document.name}: pip install {installed}"


#: Nouns whose rules are a folder of their own.
FOLDERS = {"events": "log", "webhooks": "reactions/webhooks"}


def test_every_operation_has_its_five_files() -> None:
    for name in api.__all__:
        noun = getattr(api, name).__module__.rpartition(".")[2]
        rules = FOLDERS.get(noun, f"rules/{noun}.py")
        files = [f"src/ticketing/api/{noun}.py", f"src/ticketing/{rules}"]
        files += [f"sql/queries/{noun}.sql", f"tests/api/test_{noun}.py"]
        if noun not in ("me", "index", "markdown_previews", "health"):
            assert [file for file in files if not (ROOT / file).exists()] == []


def test_handlers_are_as_short_as_is_said() -> None:
    for module in (ROOT / "src/ticketing/api").glob("*.py"):
        for function in ast.parse(module.read_text()).body:
            if isinstance(function, ast.AsyncFunctionDef):
                lines = (function.end_lineno or 0) - function.body[0].lineno + 1
                assert lines <= 12, f"{module.name}: {function.name}"


def test_every_fault_is_shown_by_a_test() -> None:
    table = (ROOT / "FAULTS.md").read_text().split("<!-- faults -->")[1].split("<!-- /faults -->")[0]
    rows = [re.split(r"\s*\|\s*", row.strip("| ")) for row in table.strip().splitlines()[2:]]
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for fault, _, measured, test in rows:
        assert measured, fault
        assert re.search(rf"^def {test.strip('`')}\(", tests, re.MULTILINE), fault
    named = {row[3].strip("`") for row in rows}
    for path in (ROOT / "tests").rglob("test_faults_of_*.py"):
        shown = set(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
        assert shown <= named, shown - named


def test_the_line_that_makes_a_file_to_import_is_the_same_everywhere() -> None:
    help_ = import_github.__doc__ or ""
    assert LINE in help_
    for document in ("README.md", "docs/importing.md", "docs/guides/import.md"):
        assert f"$ {LINE}\n" in (ROOT / document).read_text(), document


def test_the_options_and_examples_of_an_import_are_the_same_everywhere() -> None:
    parameters = signature(import_github).parameters
    options = {f"--{name.replace('_', '-')}" for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY}
    told = (ROOT / "docs/importing.md").read_text() + (ROOT / "README.md").read_text()
    shown = set(re.findall(r"--[a-z][a-z-]+(?=[ `\n])", "\n".join(re.findall(r"ticketing import github.*", told))))
    assert shown <= options
    listed = set(re.findall(r"^\| `(--[a-z-]+)", told, re.MULTILINE))
    assert listed == options - {"--project", "--dry-run", "--database-url"}
