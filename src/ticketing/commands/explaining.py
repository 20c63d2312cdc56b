"""How commands explain themselves: `--help`, whose command lines can be copied from terminals of any width."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from cyclopts.help import DefaultFormatter

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_COMMAND_LINES = re.compile(r"((?:^ {4}.+\n?)+)", re.MULTILINE)


class Explaining(DefaultFormatter):
    """Writes the help of a command, whose docstring is Markdown.

    Lines of code blocks are never broken: the terminal wraps a line that is too long, and copies it as one.
    """

    def render_description(self, console: Console, options: ConsoleOptions, description: Any) -> None:
        """Write the text above the options."""
        from rich.markdown import Markdown  # noqa: PLC0415 - only a help needs it
        from rich.text import Text  # noqa: PLC0415

        written = getattr(description, "primary_renderable", None)
        if not isinstance(written, Markdown):
            super().render_description(console, options, description)
            return
        for part in _COMMAND_LINES.split(written.markup):
            if part.startswith(" "):
                lines = Text(dedent(part).rstrip(), style="markdown.code")
                console.print(lines, no_wrap=True, overflow="ignore", crop=False)
                console.print()
            elif part.strip():
                console.print(Markdown(part))
                console.print()
