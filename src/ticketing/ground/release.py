"""The header that names the release in every answer."""

from __future__ import annotations

from ticketing import __version__

LINE = (b"ticketing-release", __version__.encode())
