"""A new seed of a project: a module with its data file, the table it fills, and a test."""

from pathlib import Path

from seedframe.configuration.config import Config
from seedframe.errors import UsageError
from seedframe.loading.seed_names import SEED_NAME
from seedframe.scaffold.files import render, write_new
from seedframe.scaffold.made import Made
from seedframe.scaffold.names import seed_name

_STEP = 10


def new_seed(config: Config, given: str, number: int | None) -> Made:
    """Write a seed into a project.

    Args:
        config: the project's.
        given: the seed's name, with a number before it or without.
        number: the seed's number; default: the next full ten after the highest.

    Errors: UsageError, before anything is written, where the name does not fit or is taken, or a file is there already.
    """
    name, number = seed_name(given, number)
    seeds = config.seeds_dir
    taken = _numbers(seeds)
    if name in taken:
        raise UsageError(
            f"a seed is called {name!r} already", hint="choose another name", where=str(seeds / taken[name][1])
        )
    if number is None:
        number = (max((number for number, _ in taken.values()), default=0) // _STEP + 1) * _STEP
    label = f"{number:02}_{name}"
    root = config.root
    # Projects that were begun with `seedframe new project` make their tables of the SQL in this folder.
    own_schema = (root / "schema" / "migrate.py").is_file()
    tables = f"schema/{number:04}_{name}.sql" if own_schema else f"tests/{name}.sql"
    folder = seeds.relative_to(root) if seeds.is_relative_to(root) else seeds
    parts = ", ".join(f'"{part}"' for part in folder.parts)
    seed_file = f'ROOT.joinpath({parts}, "{label}.py")' if parts else f'ROOT / "{label}.py"'
    # All of the schema where it is known how that is made: the new table may refer to others.
    schema = 'migrations="python schema/migrate.py"' if own_schema else f'tables=ROOT / "{tables}"'
    values = {"name": name, "label": label, "seed_file": seed_file, "schema": schema, "title": title(name)}
    texts = {
        str(folder / f"{label}.py"): render("seed/seed.py.txt", values),
        str(folder / "data" / f"{name}.csv"): render("seed/seed.csv.txt", values),
        tables: render("seed/tables.sql.txt", values),
        f"tests/test_seed_{name}.py": render("seed/test_seed.py.txt", values),
    }
    write_new(root, texts)
    note = "" if own_schema else f"add the table to your migrations: {tables} has its SQL"
    commands = (
        "seedframe db init" if config.migrations else "seedframe apply --dry-run",
        f"pytest tests/test_seed_{name}.py",
    )
    return Made(f"the seed {label}", root, tuple(texts), commands, note)


def title(name: str) -> str:
    """A name as the first words of a sentence: `order_kinds` is "Order kinds"."""
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:]


def _numbers(folder: Path) -> dict[str, tuple[int, str]]:
    """The seeds that are there, by name: their numbers and files; nothing is imported."""
    found: dict[str, tuple[int, str]] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = SEED_NAME.fullmatch(entry.stem if entry.suffix == ".py" else entry.name)
        if match is not None:
            found[match["name"]] = int(match["number"]), entry.name
    return found
