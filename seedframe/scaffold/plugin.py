"""A new plugin: a distribution with one seed, its data, and tests that prove that it converges."""

from pathlib import Path
from typing import Final

from seedframe import __version__
from seedframe.scaffold.files import render, write_new
from seedframe.scaffold.made import Made
from seedframe.scaffold.names import topic_name
from seedframe.scaffold.seed import title

NUMBER: Final = 40
_TEMPLATES: Final = {
    "pyproject.toml": "plugin/pyproject.toml.txt",
    "README.md": "plugin/README.md.txt",
    "CHANGELOG.md": "plugin/CHANGELOG.md.txt",
    "LICENSE": "plugin/LICENSE.txt",
    ".gitignore": "plugin/gitignore.txt",
    "src/{package}/__init__.py": "plugin/init.py.txt",
    "src/{package}/seed.py": "plugin/seed.py.txt",
    "src/{package}/tables.sql": "plugin/tables.sql.txt",
    "src/{package}/data/{table}.csv": "plugin/data.csv.txt",
    "src/{package}/py.typed": "plugin/py.typed.txt",
    "tests/test_{table}.py": "plugin/test_plugin.py.txt",
}


def new_plugin(topic: str, above: Path, number: int = NUMBER) -> Made:
    """Write the distribution `seedframe-TOPIC` into a folder of that name.

    Args:
        topic: what it is about, one word or several with hyphens.
        above: the folder that it is written into.
        number: its seed's number.

    Errors: UsageError, before anything is written, where the name does not fit or a file is there already.
    """
    topic = topic_name(topic)
    table = topic.replace("-", "_")
    version = ".".join(__version__.split(".")[:2])
    values = {
        "topic": topic,
        "distribution": f"seedframe-{topic}",
        "package": f"seedframe_{table}",
        "table": table,
        "label": f"{number:02}_{table}",
        "title": title(topic),
        "seedframe": version,
    }
    texts = {file.format_map(values): render(template, values) for file, template in _TEMPLATES.items()}
    folder = Path(values["distribution"])
    write_new(above / folder, texts)
    commands = (f'cd {folder} && pip install -e ".[test]"', "pytest")
    return Made(f"the plugin {folder}", folder, tuple(texts), commands)
