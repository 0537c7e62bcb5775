"""What a project does to its database beside runs: migrating, marking, forgetting."""
