"""What everything stands on: settings, errors, figures, and the one form in which texts and moments are kept."""
