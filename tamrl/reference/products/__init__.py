"""Products of others: one file here declares one product.

A product is a module with

``TITLE: str`` and ``SOURCE: str``
    its name for people, and where it is described or fetched (a DOI if there is one).
``LAYOUT: GriddedLayout | BudgetLayout``
    how it is published (`tamrl.reference.layouts`); the reader knows no product by name.
"""
