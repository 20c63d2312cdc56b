"""What follows from events and clocks."""
