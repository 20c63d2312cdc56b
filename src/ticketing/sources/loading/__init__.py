"""Writes issues: tickets, comments, people and events as if they had always been here, one transaction per batch.

A batch is written completely or not at all, so a killed import continues where it stopped. Before the first batch,
every issue of the file gets the number of its ticket, so that texts can refer to tickets that do not exist yet. Issues
that were imported before are brought up to date:

* New comments are added.
* An issue closed there is closed, unless somebody reopened it here since; one reopened there is reopened, unless it was
  closed here.
* Edits there are noted, and with `update` applied, unless the same was changed here as well.

`run.py` is one import from beginning to end. `plans.py` says what to do with a batch, by what `comparison.py` finds,
and `batches.py` does it. `tickets.py`, `changes.py`, `comments.py`, `people.py` and `events.py` make the rows,
`links.py` the references in texts.
"""

from ticketing.sources.loading.outcome import Loaded
from ticketing.sources.loading.run import Loading, Mismatch, Occupied

__all__ = ["Loaded", "Loading", "Mismatch", "Occupied"]
