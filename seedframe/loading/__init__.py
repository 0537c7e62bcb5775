"""The modules of seeds and plugins, imported and held against the contract."""
