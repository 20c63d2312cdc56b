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
from collections.abc import Iterator, Mapping
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
            if operation.id in NEEDING:
                continue
            for number, request in enumerate(operation.requests()):
                yield path, f"{operation.id}_{number}", request


NEEDING = {"create_session"}
"""Operations whose samples take what nobody has beforehand: a code that was mailed, or the demo of `ticketing up`."""
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


class Samples:
    """All samples of a language, compiled if need be. Raises programs.Failed."""

    def __init__(self, language: str, folder: Path) -> None:
        self._language = language
        self._folder = folder
        self._code = {name: LANGUAGES[language](request) for _, name, request in requests()}
        self._environment: Mapping[str, str] = os.environ
        if language == "TypeScript":
            self._environment = programs.compiled(self._code, folder)
            (folder / "in_turn.mjs").write_text(IN_TURN)
        elif language == "Go":
            programs.built(self._code, folder)

    def faults(self, url: str, token: str) -> list[str]:
        """Run them; what failed, and how."""
        found = []
        todo = [*requests()]
        if self._language == "TypeScript":
            ending = json.dumps([(name, url + path) for path, name, request in todo if not request.streams])
            todo = [each for each in todo if each[2].streams]
            try:
                self._finished(["node", "in_turn.mjs", ending], {"TOKEN": token})
            except programs.Failed as failed:
                found += str(failed).strip().splitlines()
        for path, name, request in todo:
            try:
                self._run(name, {"API": url + path, "TOKEN": token}, endless=request.streams)
            except programs.Failed as failed:
                found.append(f"{name} in {self._language}: {str(failed)[-600:]}")
        return found

    def _run(self, name: str, variables: Mapping[str, str], *, endless: bool) -> None:
        code = self._code[name]
        match self._language:
            case "curl":
                # It is shown without these: people want to see the problem.
                programs.run("bash", f"{code.rstrip()} -sS --fail-with-body", variables, endless=endless)
            case "Python" if endless:
                programs.run("python", code, variables, endless=True)
            case "Python":
                _executed(code, variables)
            case "TypeScript":
                self._finished(["node", f"{name}.mjs"], variables, endless=endless)
            case "Go":
                answer = self._finished([f"./{name}"], variables, endless=endless)
                if not (endless or answer.startswith("2")):
                    raise programs.Failed(answer)

    def _finished(self, command: list[str], variables: Mapping[str, str], *, endless: bool = False) -> str:
        return programs.finished(command, {**self._environment, **variables}, self._folder, endless=endless)


def _executed(code: str, variables: Mapping[str, str]) -> None:
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
        with tempfile.TemporaryDirectory() as folder:
            samples = Samples(language, Path(folder))
            # Only now, as its jobs end by themselves.
            with examples.demo() as (url, token):
                found = samples.faults(url, token)
        print("\n".join(found) or f"{language}: {len(list(requests()))} samples ran.", flush=True)
        status |= bool(found)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
