"""`seedframe lint`: what can be known to be wrong with seeds and their data without a database."""
