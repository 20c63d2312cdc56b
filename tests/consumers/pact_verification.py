"""What a provider's tests do with Pact: ask a running service what consumers wrote down, and compare the answers.

Usage: python pact_verification.py FOLDER      (of the pacts; URL and TOKEN in the environment)
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from pact import Verifier


def main(folder: str) -> None:
    """Fails if an answer is not what a consumer reads. The demo has the ticket that the pact names."""
    verifier = (
        Verifier("ticketing", host=urlsplit(os.environ["URL"]).hostname)
        .add_transport(url=os.environ["URL"])
        .add_source(folder)
    )
    verifier.add_custom_header("Authorization", f"Bearer {os.environ['TOKEN']}")
    verifier.verify()


if __name__ == "__main__":
    main(sys.argv[1])
