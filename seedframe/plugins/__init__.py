"""Plugins: which are installed and trusted, what they add to a project, and the manager that calls their hooks."""
