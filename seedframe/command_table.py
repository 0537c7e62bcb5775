"""The built-in commands, by name: the module of each, and a line, so that help is given without importing one."""

from typing import Final

COMMANDS: Final = {
    "list": ("seedframe.cli.list", "The seeds in run order, and what they declare."),
    "apply": ("seedframe.cli.apply", "Make the database hold what the seeds declare."),
    "verify": ("seedframe.cli.verify", "Prove that it still does; never writes."),
    "history": ("seedframe.cli.history", "What was applied, when, with what outcome."),
    "lint": ("seedframe.cli.lint", "Mistakes in seeds and data, found without a database."),
    "env": ("seedframe.cli.env", "The variables that the seeds read."),
    "plugins": ("seedframe.cli.plugins", "Installed plugins: allowed or blocked, and why."),
    "forget": ("seedframe.cli.forget", "Drop a removed seed's baselines from the ledger."),
    "db": ("seedframe.cli.db", "Start, stop, initialise and reach the database."),
    "new": ("seedframe.cli.new", "Write a project, a seed or a plugin to start from."),
}
