"""Files of a reanalysis as one series on the steps of the run."""
