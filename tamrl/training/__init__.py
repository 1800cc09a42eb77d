"""Training: sequences in memory, one loss, one loop, and checkpoints without pickles."""

from tamrl.intake import machine

machine.check_address_space()
