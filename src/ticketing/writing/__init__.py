"""What every change and every list has in common: retried how, against which version, continued from where."""
