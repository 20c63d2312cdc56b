"""The processes of the service: how they start, hand over, and are looked after."""
