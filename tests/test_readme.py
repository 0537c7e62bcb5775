"""Every sample of the README runs: its commands, in order, in a copy of the checkout; its Python, as seeds."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Folder, ProjectFactory, Sql, clean_variables

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Sample:
    """One command of the README and what it is said to print; the line it stands in."""

    command: str
    output: str
    line: int


def blocks(language: str) -> Iterator[tuple[int, str]]:
    """The README's fenced blocks of a language, each with the line it begins at."""
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        yield README[: found.start()].count("\n") + 2, found[1]


def samples() -> Iterator[Sample]:
    """All commands of the README's console blocks, in order."""
    for start, block in blocks("console"):
        lines = block.splitlines()
        begins = [number for number, line in enumerate(lines) if line.startswith("$ ")]
        assert begins[:1] == [0], f"README.md:{start}: a console block begins with a command"
        for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
            yield Sample(lines[begin].removeprefix("$ "), "\n".join(lines[begin + 1 : end]).strip(), start + begin)


def pattern(shown: str) -> re.Pattern[str]:
    """What the printed text must match: "…" stands for the rest of a line, or, alone in a line, for any lines."""
    pieces = []
    position = 0
    for found in re.finditer(r"(?m)^…\n|…|(?<=PostgreSQL )[\d.]+|\d+(?:\.\d+)?(?:ms|s)\b| {2,}", shown):
        pieces.append(re.escape(shown[position : found.start()]))
        position = found.end()
        if found[0] == "…\n":
            pieces.append(r"(?:[^\n]*\n)*?")
        elif found[0] == "…":
            pieces.append(r"[^\n]*")
        elif found[0].isspace():
            pieces.append(" {2,}")  # columns are as wide as what is in them
        elif found[0][-1] == "s":
            pieces.append(r"\d+(?:\.\d+)?m?s")  # a duration
        else:
            pieces.append(r"[\d.]+")  # the version of the server
    pieces.append(re.escape(shown[position:]))
    return re.compile("".join(pieces))


def test_the_commands_of_the_readme_print_what_it_shows(tmp_path: Path) -> None:
    copy = tmp_path / "seedframe"
    copy.mkdir()
    for name in ("seeds", "migrations", "alembic.ini", "seedframe.toml", "README.md"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    environment = clean_variables(tmp_path)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    ran = 0
    for sample in samples():
        # Installing is what made this test possible, and the tests are what runs: the rest of the line counts.
        command = " && ".join(part for part in sample.command.split(" && ") if not re.match(r"pip |pytest\b", part))
        if not command:
            continue
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=copy,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert pattern(sample.output).fullmatch(done.stdout.strip()), (
            f"README.md:{sample.line}: $ {command}\n{done.stdout}\nThe readme has:\n{sample.output}"
        )
        ran += 1
    assert ran >= 4


def test_the_two_commands_are_there_word_by_word() -> None:
    commands = [sample.command for sample in samples()]
    assert 'pip install -e ".[demo]" && seedframe db init' in commands
    assert 'pip install -e ".[test]" && pytest' in commands


def test_the_seed_of_the_readme_works(project: ProjectFactory, sql: Sql) -> None:
    [(_, seed)] = blocks("python")
    data = (ROOT / "seeds" / "data" / "medications.csv").read_text(encoding="utf-8")
    core = "from seedframe import Tables\n\ndef resources():\n    yield Tables('medications')\n"
    folder = project({"seeds/00_core.py": core, "seeds/20_reference.py": seed, "seeds/data/medications.csv": data})
    migrate(folder)
    first = folder.run("apply")
    assert first.returncode == 0, str(first)
    again = folder.run("apply")
    assert "0 created, 0 updated, 0 deleted" in again.stdout
    assert sql("select m.sku from treatment_plans p join medications m on m.id = p.medication_id") == [("SEMA-025",)]
    sql("update medications set active = false")
    found = folder.run("verify")
    assert found.returncode == 2, str(found)
    assert "fewer than five active medications" in found.stdout


def migrate(folder: Folder) -> None:
    """Make the telehealth platform's tables."""
    environment = {"PATH": os.environ["PATH"], **folder.env}
    subprocess.run([sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, env=environment, check=True)


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_table_of_commands_is_whole(project: ProjectFactory) -> None:
    shown = project().run("--help").stdout.partition("Commands:")[2]
    commands = set(re.findall(r"^  (\w+)  ", shown, re.MULTILINE))
    table = set(re.findall(r"^\| `seedframe (\w+)", README, re.MULTILINE))
    assert commands
    assert table == commands
