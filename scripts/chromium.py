"""Where a Chromium is that tests and scripts may drive."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = f"There is no browser here. Install one of {', '.join(NAMES)}, or name it in TICKETING_CHROMIUM."


def find() -> str | None:
    """The one that TICKETING_CHROMIUM names, or the first on the PATH."""
    return os.environ.get("TICKETING_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
