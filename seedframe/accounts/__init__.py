"""Where accounts are kept, and how their passwords are made."""
