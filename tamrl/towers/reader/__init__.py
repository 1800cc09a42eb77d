"""Readers of the formats in which tower records come: ONEFlux files, metadata tables, workbooks, archives, snapshots."""
