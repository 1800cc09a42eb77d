"""Requests to the web: who may be reached, what a request may carry, and downloads that resume."""
