"""Figures of the report: data in, matplotlib `Figure` out."""
