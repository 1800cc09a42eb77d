"""Gridded drivers: from the sources' files to one cube for the globe, and the same cube at the towers."""
