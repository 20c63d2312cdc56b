"""HTTP/1.1 on the wire: limits on what a client may send and keep open before we know who it is.

This is uvicorn's protocol with limits. Refusals are problem details, as everywhere.

    protocol      one connection: its requests, one after the other
    head          what the head of a request may look like
    refusals      the answers of this layer
    connections   all connections of a process: how many, and for how long
    files         how many files a process may have open
    corked        head and body of an answer in one write
"""

from ticketing.web.wire.protocol import Protocol

__all__ = ["Protocol"]
