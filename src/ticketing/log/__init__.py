"""The event log as it is read: places, the feed, a ticket's timeline, and streams."""
