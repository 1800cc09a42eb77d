"""Pages of the report: texts, tables, and how they become HTML and Markdown."""
