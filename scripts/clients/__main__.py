"""Generate clients of the contract with well-known generators, compile them strictly, and drive them against a service.

Usage: python -m clients [--all] [FOLDER...]      (folders of tests/clients; without one, every tool)

What the machine lacks for a tool is said, and the tool left out; with --all that is a failure, too.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import examples
from clients import tools
from clients.tools import TOOLS, Failed, Tool

BIN = tools.ROOT / ".venv-clients" / "bin"
STEPS = ("generated", "compiled", "driven")


def outcome(tool: Tool, url: str, token: str, folder: Path) -> list[str]:
    """What became of each step."""
    environment = tools.environment(tool, BIN) | {"URL": url, "TOKEN": token}
    if missing := tool.missing(environment):
        return [f"left out: {', '.join(missing)} not found"]
    program = tools.prepare(tool, folder)
    done: list[str] = []
    for commands in ((tool.generate,), tool.compile, (tool.drive,)):
        try:
            tools.run(commands, program, environment)
        except Failed as failure:
            print(failure, file=sys.stderr)
            return [*done, "FAILED"]
        done.append("yes")
    return done


def main(*arguments: str) -> int:
    """Try the tools; the exit status says whether all is well."""
    wanted = [each for each in arguments if each != "--all"]
    os.environ |= {"TICKETING_WEBHOOK_ALLOW": "127.0.0.1", "DELIVERS": "yes"}
    row = "{:<24} {:<9} {:<12} {:<10} {:<10} {}".format
    print(row("tool", "version", "language", *STEPS), flush=True)
    bad = False
    with examples.demo() as (url, token), tempfile.TemporaryDirectory() as folder:
        for tool in TOOLS:
            if wanted and tool.folder not in wanted:
                continue
            steps = outcome(tool, url, token, Path(folder))
            print(row(tool.package, tool.version(), tool.language, *steps, *[""] * (3 - len(steps))), flush=True)
            bad |= "FAILED" in steps or ("--all" in arguments and steps != ["yes"] * 3)
    return bad


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
