"""Training: sequences in memory, one loss, one loop, and checkpoints without pickles."""
