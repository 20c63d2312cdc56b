"""HTTP/1.1 on the wire: what a client may send and keep open before anybody knows who it is.

uvicorn's protocol, with bounds. Everything that is refused here is refused with problem details, like all the rest.

    protocol      one connection: its requests, one after the other
    head          what the head of a request may look like
    refusals      the answers of this layer
    connections   all connections of a process: how many, and for how long
    files         how many of them the system lets a process have open
    corked        head and body of an answer in one write
"""

from ticketing.web.wire.protocol import Protocol

__all__ = ["Protocol"]
