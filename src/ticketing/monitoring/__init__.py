"""What operators see of a process: traces, metrics, readiness and lateness."""
