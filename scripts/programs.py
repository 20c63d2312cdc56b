"""Run the programs that documents show, in the language that each is written in."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import node

SECONDS = 300
"""How long a program may take. Go compiles its library before the first one."""


class Failed(Exception):
    """A program ended otherwise than well; what it wrote."""


def run(language: str, code: str, variables: Mapping[str, str], *, endless: bool = False) -> str:
    """What a program writes to its standard output; of an endless one, the first that it writes.

    `language` is the name by which Markdown knows it: bash, python, typescript, go or java. Raises Failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command, environment = prepared(language, code, Path(folder))
        return finished(command, {**environment, **variables}, folder, endless=endless)


def finished(
    command: Sequence[str], environment: Mapping[str, str], folder: str | Path, *, endless: bool = False
) -> str:
    """What a command writes to its standard output. Raises Failed."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=folder, env=dict(environment), text=True, stdout=pipe, stderr=pipe, start_new_session=True
    ) as process:
        try:
            if endless:
                assert process.stdout is not None
                first = process.stdout.readline()
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                out, errors = process.communicate(timeout=SECONDS)
                if not first:
                    raise Failed(errors)
                return first
            out, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired as slow:
            raise Failed(str(slow)) from slow
        finally:
            process.kill()
    if process.returncode:
        raise Failed(f"{out}\n{errors}")
    return out


def missing(language: str) -> str | None:
    """The program that this machine lacks for a language, if any."""
    needed = {"go": "go", "java": "javac"}.get(language)
    return needed if needed and not shutil.which(needed) else None


def built(programs: Mapping[str, str], folder: Path) -> None:
    """Build programs in Go, at once, each to a file of its name. Raises Failed."""
    (folder / "go.mod").write_text("module samples\n\ngo 1.19\n")
    for name, code in programs.items():
        (folder / "cmd" / name).mkdir(parents=True)
        (folder / "cmd" / name / "main.go").write_text(code)
    finished(["go", "vet", "./cmd/..."], os.environ, folder)
    finished(["go", "build", "-o", f"{folder}/", "./cmd/..."], os.environ, folder)


def compiled(programs: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Compile modules of TypeScript strictly, each to a `.mjs`; gives the environment to run them in. Raises Failed."""
    environment = node.environment()
    (folder / "node_modules").symlink_to(node.CONTRACT / "node_modules")
    for name, code in programs.items():
        (folder / f"{name}.mts").write_text(code)
    options = ["--strict", "--target", "es2022", "--module", "nodenext", "--types", "node", "--skipLibCheck"]
    finished(["tsc", *options, *(f"{name}.mts" for name in programs)], environment, folder)
    return environment


def prepared(language: str, code: str, folder: Path) -> tuple[list[str], Mapping[str, str]]:
    """The command that runs a program from a folder, and its environment. Raises Failed if it does not compile."""
    match language:
        case "bash":
            return ["bash", "-euo", "pipefail", "-c", code], os.environ
        case "python":
            return [sys.executable, "-u", "-c", code], os.environ
        case "typescript":
            return ["node", "program.mjs"], compiled({"program": code}, folder)
        case "go":
            (folder / "main.go").write_text(code)
            return ["go", "run", "main.go"], os.environ
        case "java":
            (folder / "Program.java").write_text(code)
            return ["java", "Program.java"], os.environ
        case _:
            raise ValueError(language)
