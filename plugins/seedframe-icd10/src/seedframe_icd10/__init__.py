"""WHO ICD-10 chapters, blocks and codes, as a seed of seedframe."""

__version__ = "1.0.0"
