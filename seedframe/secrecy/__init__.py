"""What must not be seen by others: which texts these are, and what keeps them out of everything that is shown."""
