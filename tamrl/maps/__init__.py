"""Maps: members become products with CF metadata, and budgets."""
