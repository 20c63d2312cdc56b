"""Full text: the words of tickets, in tables beside them that a worker keeps.

1. A request writes a ticket or a comment, and its event. It writes nothing here, so it costs what it did.
2. `documents.follow` reads the event log up to where it is settled, and writes the documents of the tickets that it
   names as these are now. So it does no harm to read an event again, and an order of events cannot be wrong.
3. `rebuilding` writes documents of all tickets again, batch by batch beside that: in a database from before there were
   any, after a release that forms them in another way, when a project's language changes, and for `ticketing search`.

Whoever writes documents has locked the row of `search_progress`. The one exception is the deletion of a comment or
ticket: it takes the words out at once, with `erase_documents`, whatever a worker does at that moment.

A ticket has two documents if it has internal comments. What others than staff search, complete or count reads only
`ticket_documents` and `words`, in which no word of an internal comment has ever been.
"""
