"""What operators see of a process: traces, figures, readiness, and what is late."""
