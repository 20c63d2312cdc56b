"""Clients that well-known generators make of the published contract: they compile strictly, and drive the service."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import node
from clients import consumers, tools
from clients.tools import TOOLS, Tool
from conftest import Person
from ticketing.ground import paths

pytestmark = pytest.mark.usefixtures("unmeasured")

BIN = Path(sys.executable).parent


def test_a_client_is_generated_compiled_and_driven(service: str, admin: Person, tmp_path: Path) -> None:
    """CI does the same with all tools: `make clients`."""
    (tool,) = (each for each in TOOLS if each.folder == "openapi_python_client")
    environment = tools.environment(tool, BIN) | {"URL": service, "TOKEN": admin.token}
    tools.run([tool.generate, *tool.compile, tool.drive], tools.prepare(tool, tmp_path), environment)


@pytest.mark.parametrize("version", [None, "v18.20.4"])
def test_node_is_at_hand_where_the_path_has_none_or_an_old_one(
    version: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("node", "npm") if version else ():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = node.find()
    assert found.folder != tmp_path
    told = subprocess.check_output([found.folder / "node", "--version"], text=True)
    assert tuple(map(int, told.strip().lstrip("v").split("."))) >= node.OLDEST
    assert subprocess.check_output([*found.npm, "--version"])


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.folder)
def test_the_page_shows_the_command_line_and_the_version_that_are_tried(tool: Tool) -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (paths.GUIDES / "clients.md").read_text(), re.DOTALL)
    shown = [" ".join(line.split()) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    # Readers have no folder of npm's on their PATH, as the clients' runs do.
    assert {tool.generate, f"npx {tool.generate}"} & {*shown}
    pinned = {f"{tool.package}=={tool.version()}", f"{tool.package}@{tool.version()}"}
    assert pinned & {word for line in shown for word in line.split()}


def test_the_page_of_tests_shows_what_is_tried() -> None:
    page = (paths.GUIDES / "consumer-tests.md").read_text()
    commands = [consumers.PRISM_MOCK.format(4010), consumers.PRISM_PROXY.format(4010), *consumers.PACT]
    commands += [consumers.WITHOUT_SESSIONS, consumers.SPECMATIC_MOCK.format(9000), consumers.SPECMATIC_TEST]
    assert [each for each in commands if f"\n{each}\n" not in page] == []
    assert f"```json\n{(consumers.PROGRAMS / 'examples' / 'ticket.json').read_text()}```" in page
    assert f"```yaml\n{(consumers.PROGRAMS / 'specmatic.yaml').read_text()}```" in page
    assert all(f"{name}={value}" in page for name, value in consumers.LIMITS.items())


def test_the_page_shows_the_settings_that_are_tried() -> None:
    settings = (tools.PROGRAMS / "hey_api" / "openapi-ts.config.ts").read_text()
    assert f"```ts\n{settings}```" in (paths.GUIDES / "clients.md").read_text()
