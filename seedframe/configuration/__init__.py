"""What a project is told: seedframe.toml, the environment, .env, and what seeds declare that they want of these."""
