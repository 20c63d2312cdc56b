"""GitHub: reads issues as `gh issue list --json …` and GitHub's REST API write them, in the product's words.

Nothing is lost silently. The report has bad entries and comments one by one, notes on what was changed or left out, and
the name of every field that a ticket has no place for.

`reading.py` reads a file. `shapes.py` gives every entry the shape of `gh`, `survey.py` looks at all of them, and
`issue.py` makes an issue of one, with `values.py` for single values, `logins.py` for people and `fields.py` for what is
not taken.
"""

from ticketing.sources.github.reading import Missing, Reading, read

__all__ = ["Missing", "Reading", "read"]
