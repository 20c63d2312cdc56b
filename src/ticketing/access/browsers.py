"""What a browser calls itself, in words that people know: its name, and what it runs on."""

from __future__ import annotations

from typing import NamedTuple

MOST_READ = 512
"""Characters of a User-Agent that are looked at; no browser's is longer."""

#: What a User-Agent contains, and the browser that it then is. Later ones also contain what stands before them.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
PLATFORMS = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


class Browser(NamedTuple):
    """A browser, as far as it says what it is."""

    name: str | None
    platform: str | None

    @property
    def words(self) -> str:
        """Both in a few words."""
        if self.name is None:
            return f"A browser on {self.platform}" if self.platform else "A browser"
        return f"{self.name} on {self.platform}" if self.platform else self.name


def recognised(user_agent: str) -> Browser:
    """The browser that sends this User-Agent (RFC 9110, 10.1.5). Any may send any: this is to be shown, and no more."""
    said = user_agent[:MOST_READ]
    return Browser(_first(BROWSERS, said), _first(PLATFORMS, said))


def _first(known: tuple[tuple[str, str], ...], said: str) -> str | None:
    return next((name for part, name in known if part in said), None)
