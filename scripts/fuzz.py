"""Exercise the running service with schemathesis, at length: all phases and checks, over HTTP, no failure expected.

Usage: python scripts/fuzz.py [MAX_EXAMPLES [OPTION …]]      (350 by default: more than 10,000 requests, some minutes)

Options are those of `schemathesis run`, as in `make fuzz ARGS="20 --seed 1"`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import examples
from collection import ENDLESS
from ticketing.ground import paths

CONFIG = Path(__file__).parents[1] / "tests" / "schemathesis.toml"
HOOKS = Path(__file__).with_name("judging.py")
# They would find the token that it uses, revoke it, and then see nothing but 401.
SELF_DEFEATING = ("revoke_token", "revoke_user_token")
ALL_BUT_THESE = tuple(option for name in SELF_DEFEATING for option in ("--exclude-operation-id", name))
ONLY_THESE = tuple(option for name in SELF_DEFEATING for option in ("--include-operation-id", name))


def schemathesis(
    url: str, token: str, *options: str, document: str = paths.API, **popen: object
) -> subprocess.CompletedProcess[str]:
    """Run schemathesis against a document served at `url`, with an admin's token."""
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG)]
    command += ["run", f"{url}{document}/openapi.json", "--url", f"{url}{document}"]
    # It would wait for the stream's end; tests/api/test_stream.py tests bad requests for it.
    command += ["--exclude-operation-id", ENDLESS, *options]
    environment = os.environ | {"TICKETING_TOKEN": token, "SCHEMATHESIS_HOOKS": str(HOOKS)}
    return subprocess.run(command, env=environment, text=True, check=False, **popen)  # type: ignore[call-overload, no-any-return]


def get(url: str, token: str = "") -> str:
    """The text of an answer; raises if it is not a success."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    with urllib.request.urlopen(request) as response:
        return str(response.read().decode())


def main(max_examples: str = "350", *options: str) -> int:
    """Start an ephemeral service, run schemathesis against it, and check that its token worked to the end."""
    with examples.demo() as (url, token):
        code = schemathesis(url, token, "--max-examples", max_examples, *ALL_BUT_THESE, *options).returncode
        code |= schemathesis(url, token, "--max-examples", max_examples, *options, document=paths.OPS).returncode
        get(f"{url}/api/v1/me", token)
        code |= schemathesis(url, token, "--phases", "coverage,fuzzing", *ONLY_THESE, *options).returncode
        counts = [
            line for line in get(f"{url}/metrics").splitlines() if line.startswith("ticketing_http_requests_total{")
        ]
    failed = [line for line in counts if 'status="5' in line]
    total = sum(float(line.rpartition(" ")[2]) for line in counts)
    print(f"{total:.0f} requests.", "\n".join(["Answers of 5xx:", *failed]) if failed else "No answer of 5xx.")
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
