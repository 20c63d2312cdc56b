"""Execute what is published to be executed: the Postman collection by newman, the workflows by redocly respect.

Usage: python scripts/examples.py [URL TOKEN]      without them it starts a service of its own

The service has to have the demo, and nobody may have used it yet: an example that adds a project works once.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import node
from ticketing.ground import paths

WORKFLOWS = sorted((paths.SPEC / "workflows").glob("*.arazzo.yaml"))


def main(*arguments: str) -> int:
    """Execute everything; the exit status says whether all of it did what is documented."""
    with nullcontext(arguments) if arguments else demo() as (url, token):
        return newman(url, token) | respect(url, token)


def newman(url: str, token: str) -> int:
    """The Postman collection."""
    variables = ["--env-var", f"url={url}", "--env-var", f"token={token}"]
    quiet = ["--reporters", "cli", "--reporter-cli-no-success-assertions", "--reporter-cli-no-banner"]
    return node.main("newman", "run", str(paths.COLLECTION), *variables, *quiet)


def respect(url: str, token: str) -> int:
    """The workflows, each with a new key where it asks for one."""
    given = ["--input", f"token={token}", "--input", f"key=w-{uuid.uuid4()}"]
    server = ["--server", f"ticketing={url}{paths.API}"]
    return node.main("redocly", "respect", *map(str, WORKFLOWS), *given, *server)


@contextmanager
def demo() -> Iterator[tuple[str, str]]:
    """A service with the demo: its URL, and an admin's token."""
    with demo_of_all() as (url, tokens):
        yield url, tokens["admin"]


@contextmanager
def demo_of_all() -> Iterator[tuple[str, dict[str, str]]]:
    """A service with the demo: its URL, and a token of each role."""
    up = [sys.executable, "-m", "ticketing", "up", "--ephemeral", "--json", "--port", "0"]
    environment = os.environ | {"TICKETING_LOG_LEVEL": "warning"}
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True, env=environment) as service:
        assert service.stdout is not None
        ready = json.loads(service.stdout.readline())
        try:
            yield ready["url"], ready["tokens"]
        finally:
            service.send_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
