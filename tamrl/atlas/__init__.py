"""The atlas of a run: a static site that opens from disk, its data as small scripts that are loaded when they are looked at."""
