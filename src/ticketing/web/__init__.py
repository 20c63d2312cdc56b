"""HTTP beside the API: the protocol on the wire, and the pages."""
