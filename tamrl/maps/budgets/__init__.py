"""Regional budgets: sums of flux times land area times time, per member, over years and months."""
