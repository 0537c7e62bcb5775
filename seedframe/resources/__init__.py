"""What a seed can declare, one file a kind."""
