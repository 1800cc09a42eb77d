"""From the archives of tower networks to one table of judged records."""
