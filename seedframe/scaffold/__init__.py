"""Scaffolds: what a project, a seed or a plugin begins with, complete and tested."""
