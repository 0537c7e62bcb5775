"""The text of `.env.example`: every variable with what it is, ready to be filled in."""

from pathlib import Path

from seedframe.configuration.dotenv import dotenv_value
from seedframe.configuration.settings import Described
from seedframe.errors import UsageError
from seedframe.reporting.cells import visible
from seedframe.reporting.output import check_writable, print_utf8, write_file
from seedframe.reporting.words import one_of


def example_text(project: str, own: tuple[Described, ...], variables: tuple[Described, ...]) -> str:
    """What is required with an empty value, the rest commented out with its default; a secret's is never shown."""
    parts = [f"# What the seeds of {visible(project)} read. Copy this file to .env and fill it in.\n"]
    written: set[str] = set()
    for entry in (*own, *variables):
        if entry.name in written:
            continue
        written.add(entry.name)
        readers = ", ".join(entry.seeds) if entry.seeds else "seedframe"
        about = [entry.type, "required" if entry.required else "", one_of(entry.choices), f"read by {readers}"]
        comments = [*(line.strip() for line in entry.help.splitlines()), ", ".join(filter(None, about))]
        assignment = f"{entry.name}=" if entry.required else f"# {entry.name}={_value(entry)}"
        parts.append("".join(f"# {visible(comment)}\n" for comment in comments if comment) + assignment + "\n")
    return "\n".join(parts)


def deliver_example(text: str, output: Path | None) -> None:
    """Print it, or write it to a new file; one that is there is never overwritten.

    Errors: UsageError where the file says something else, or cannot be written.
    """
    if output is None:
        print_utf8(text)
        return
    check_writable(output)
    if output.is_file():
        if output.read_bytes() == text.encode():
            return
        raise UsageError(
            "it is there, and says something else",
            hint="remove it first, name another file, or print with > to overwrite it",
            where=f"--output {output}",
        )
    write_file(output, text)


def _value(entry: Described) -> str:
    """The default as .env would have it; empty for a secret, and for what would steer a terminal."""
    value = "" if entry.default is None or entry.secret else dotenv_value(entry.default)
    return value if value.isprintable() else ""
