"""One run over one target: reading, writing, in transactions, by a saved plan or not."""
