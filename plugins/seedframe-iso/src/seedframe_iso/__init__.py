"""ISO countries, subdivisions, currencies and languages, as a seed of seedframe."""

__version__ = "1.0.0"
