"""Scores of models at held-out towers, comparisons between models, and reliability of intervals."""
