"""The generators that the contract is tried with: how to call them, and how to compile and drive their clients."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import node
from ticketing.ground import paths

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "clients"
HERE = Path(__file__).parent
#: Jackson comes with the generator; the annotations are Debian's libjakarta-annotation-api-java.
ANNOTATIONS = Path("/usr/share/java/jakarta-annotation-api.jar")
#: Seconds that a command may take.
PATIENCE = 300
GENERATOR = "openapi-generator-cli generate -i openapi.yaml"


@dataclass(frozen=True, slots=True)
class Tool:
    """A generator of clients."""

    package: str
    language: str
    folder: str
    """Of the program that drives the client, in tests/clients."""
    generate: str
    """The command line, as docs/guides/clients.md shows it; it reads `openapi.yaml`, and writes beside it."""
    compile: tuple[str, ...]
    drive: str
    needs: tuple[str, ...] = ()
    """Programs or files that no package brings: what is missing is told, and the tool left out."""
    modules: Path | None = None
    """The folder of npm's package.json, if the client is for Node.js."""

    def missing(self, environment: Mapping[str, str]) -> list[str]:
        """What this machine lacks."""
        path = environment["PATH"]
        return [each for each in self.needs if not (shutil.which(each, path=path) or Path(each).is_file())]

    def version(self) -> str:
        """The version that a lock file names."""
        pinned = re.search(rf"^{self.package}==(\S+)", (ROOT / "requirements-clients.lock").read_text(), re.MULTILINE)
        if pinned:
            return pinned[1]
        assert self.modules
        return str(json.loads((self.modules / "package.json").read_text())["devDependencies"][self.package])


def prepare(tool: Tool, folder: Path) -> Path:
    """Copy what drives the client, and the contract, into a folder; gives the one in which the commands run."""
    copy = shutil.copytree(PROGRAMS, folder / "clients", dirs_exist_ok=True)
    if tool.modules:
        (copy / "node_modules").unlink(missing_ok=True)
        (copy / "node_modules").symlink_to(tool.modules / "node_modules")
    shutil.copy(paths.SPEC / "dist" / "openapi.yaml", copy / tool.folder)
    return copy / tool.folder


def environment(tool: Tool, bin: Path) -> dict[str, str]:
    """The environment of the commands; `bin` is that of the virtual environment with the generators."""
    found = node.environment(tool.modules) if tool.modules else dict(os.environ)
    jar = next(bin.parent.glob("lib/python*/site-packages/openapi_generator_cli/openapi-generator.jar"), Path())
    return found | {
        "PATH": os.pathsep.join([str(bin), found["PATH"]]),
        "PYTHONPATH": "",
        "CLASSPATH": os.pathsep.join([".", "classes", str(jar), str(ANNOTATIONS)]),
        "JAVA_OPTS": "-Xmx900m",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
    }


class Failed(Exception):
    """A command did; with what it printed."""


def run(commands: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Run commands of a shell, one after another; raises Failed."""
    for command in commands:
        shell = ["timeout", str(PATIENCE), "sh", "-c", command]
        done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{command}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


TOOLS = (
    Tool(
        "openapi-python-client",
        "Python",
        "openapi_python_client",
        "openapi-python-client generate --fail-on-warning --meta none --path openapi.yaml"
        " --output-path ticketing_client",
        ("mypy --strict --follow-imports=silent --config-file= --cache-dir=/dev/null drive.py",),
        "python drive.py",
    ),
    Tool(
        "openapi-typescript",
        "TypeScript",
        "openapi_typescript",
        "openapi-typescript openapi.yaml --output api.mts",
        ("tsc --project .",),
        "node drive.mjs",
        modules=node.CONTRACT,
    ),
    Tool(
        "@hey-api/openapi-ts",
        "TypeScript",
        "hey_api",
        "openapi-ts",
        ("tsc --project .",),
        "node drive.mjs",
        modules=HERE,
    ),
    Tool(
        "openapi-generator-cli",
        "Python",
        "openapi_generator_python",
        f"{GENERATOR} -g python -o . --package-name ticketing_client",
        ("mypy --strict --follow-imports=silent --config-file= --cache-dir=/dev/null drive.py",),
        "python drive.py",
        needs=("java",),
    ),
    Tool(
        "openapi-generator-cli",
        "TypeScript",
        "openapi_generator_typescript_fetch",
        f"{GENERATOR} -g typescript-fetch -o client --additional-properties=importFileExtension=.js",
        ("tsc --project .",),
        "node drive.mjs",
        needs=("java",),
        modules=HERE,
    ),
    Tool(
        "openapi-generator-cli",
        "Java",
        "openapi_generator_java",
        f"{GENERATOR} -g java -o client --library native"
        " --additional-properties=useJakartaEe=true,openApiNullable=false,containerDefaultToNull=true",
        (
            "javac -proc:none -d classes $(find client/src/main -name '*.java')",
            "javac -proc:none -Xlint:all,-path -Werror -d classes Drive.java",
        ),
        "java Drive",
        needs=("javac", str(ANNOTATIONS)),
    ),
    Tool(
        "openapi-generator-cli",
        "Go",
        "openapi_generator_go",
        f"{GENERATOR} -g go -o client --git-user-id acme --git-repo-id ticketing"
        " --additional-properties=enumClassPrefix=true,packageName=ticketing",
        ("rm -rf client/test", "go vet . github.com/acme/ticketing"),
        "go run .",
        needs=("java", "go"),
    ),
)
