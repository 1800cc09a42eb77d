"""Readers of file formats as the providers of drivers deliver them."""
