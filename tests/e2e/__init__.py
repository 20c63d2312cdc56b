"""The portal in Chromium, on the service as whoever tries it has it."""
