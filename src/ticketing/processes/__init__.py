"""The processes of the service: how they start, hand over, stay together and answer probes."""
