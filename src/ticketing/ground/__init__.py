"""The foundation: settings, errors, metrics, and the one stored form of texts and timestamps."""
