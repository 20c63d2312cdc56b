"""Run the code that the reference shows for each operation, in the order of the documents, against a demo.

Usage: python scripts/samples.py [LANGUAGE...]      curl, Python, TypeScript, Go; without any, all of them

Each language has a service of its own, as most examples can be sent only once.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import examples
import programs
from ticketing import contract
from ticketing.ground import paths
from ticketing.web.reference.document import Document, Request
from ticketing.web.reference.samples import LANGUAGES


def requests() -> Iterator[tuple[str, str, Request]]:
    """Path of the document, name and request of every sample."""
    for path, file in paths.DOCUMENTS.items():
        for operation in Document(contract.load(file)).operations:
            for number, request in enumerate(operation.requests()):
                yield path, f"{operation.id}_{number}", request


IN_TURN = """
for (const [name, api] of JSON.parse(process.argv[2])) {
  process.env.API = api;
  try {
    await import(`./${name}.mjs`);
  } catch (error) {
    console.error(`${name} in TypeScript: ${error}`);
    process.exitCode = 1;
  }
}
"""
"""Runs modules in one process: a process for each would take minutes."""


def faults(language: str, url: str, token: str) -> list[str]:
    """Run all samples of a language; what failed, and how."""
    if language == "TypeScript":
        return _typescript(url, token)
    found = []
    for path, name, request in requests():
        try:
            _run(language, request, {"API": url + path, "TOKEN": token})
        except programs.Failed as failed:
            found.append(f"{name} in {language}: {str(failed)[-600:]}")
    return found


def _typescript(url: str, token: str) -> list[str]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = {name: LANGUAGES["TypeScript"](request) for _, name, request in requests()}
        environment = programs.compiled(sources, folder) | {"TOKEN": token}
        (folder / "in_turn.mjs").write_text(IN_TURN)
        ending = json.dumps([(name, url + path) for path, name, request in requests() if not request.streams])
        try:
            programs.finished(["node", "in_turn.mjs", ending], environment, folder)
            for path, name, request in requests():
                if request.streams:
                    command = ["node", f"{name}.mjs"]
                    programs.finished(command, environment | {"API": url + path}, folder, endless=True)
        except programs.Failed as failed:
            return str(failed).strip().splitlines()
    return []


def _run(language: str, request: Request, variables: dict[str, str]) -> None:
    code = LANGUAGES[language](request)
    match language:
        case "curl":
            # It is shown without these: people want to see the problem.
            programs.run("bash", f"{code.rstrip()} -sS --fail-with-body", variables, endless=request.streams)
        case "Python" if not request.streams:
            _executed(code, variables)
        case "Go" if not request.streams:
            answer = programs.run("go", code, variables)
            if not answer.startswith("2"):
                raise programs.Failed(answer)
        case _:
            programs.run(language.lower(), code, variables, endless=True)


def _executed(code: str, variables: dict[str, str]) -> None:
    """Execute a program in this process, as with TypeScript."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, "sample.py", "exec"), {})  # noqa: S102
    except Exception as error:
        raise programs.Failed(f"{error}: {getattr(getattr(error, 'response', None), 'text', '')}") from error
    finally:
        os.environ.clear()
        os.environ.update(before)


def main(*languages: str) -> int:
    """Run the samples; the exit status says whether all of them went well."""
    status = 0
    for language in languages or LANGUAGES:
        if lacking := programs.missing(language.lower()):
            print(f"{language}: not run, as there is no `{lacking}`.")
            continue
        with examples.demo() as (url, token):
            found = faults(language, url, token)
        print("\n".join(found) or f"{language}: {len(list(requests()))} samples ran.", flush=True)
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
