"""Exercise the running service with schemathesis, at length: all phases, over HTTP, 0 failures expected.

Usage: python scripts/fuzz.py [MAX_EXAMPLES]      (200 by default: more than 10,000 requests, some minutes)
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

CONFIG = Path(__file__).parents[1] / "tests" / "schemathesis.toml"


def main(max_examples: str = "200") -> int:
    """Start an ephemeral service, run schemathesis against it, and see that it worked to the end with its token."""
    up = [sys.executable, "-m", "ticketing", "up", "--ephemeral", "--json", "--port", "0"]
    log = {"TICKETING_LOG_LEVEL": "warning"}
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True, env=os.environ | log) as service:
        assert service.stdout is not None
        ready = json.loads(service.stdout.readline())
        token = ready["tokens"]["admin"]
        command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
        command += [f"{ready['url']}/api/v1/openapi.json", "--max-examples", max_examples, "--workers", "2"]
        try:
            code = subprocess.run(command, env=os.environ | {"TICKETING_TOKEN": token}, check=False).returncode
            request = urllib.request.Request(f"{ready['url']}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
            urllib.request.urlopen(request)  # Raises if the token is refused: then all answers were 401s.
            with urllib.request.urlopen(f"{ready['url']}/metrics") as metrics:
                failed = [line for line in metrics.read().decode().splitlines() if 'status="5' in line and "_total{" in line]
        finally:
            service.send_signal(signal.SIGINT)
    print("\n".join(["Answers of 5xx:", *failed]) if failed else "No answer of 5xx.")
    return code or bool(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
