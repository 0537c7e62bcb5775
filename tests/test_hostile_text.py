"""Whatever text comes from data, from the server or from a seed: it adds no line and steers no terminal."""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql as compose

from seedframe.changes import Change, Changes, Verdict
from seedframe.cli.main import main
from seedframe.cli.progress import ProgressBar
from seedframe.json_text import json_text
from seedframe.report import ResourceOutcome
from tests.conftest import Folder, ProjectFactory, Sql

# What moves the cursor, hides, turns around, links, rings, ends a line in one program or another, or means something
# to rich, to a format string or to a shell. The last is half of a surrogate pair, as file names may have it.
NASTY = (
    "a\r\nerror: forged\n2026-01-01 INFO forged\tc\x1b]8;;http://evil\x07link\x1b]8;;\x07\x1b[2J\x9b31m\x7f\x08\u202eb"
    "\u2066\u200b\u2028\u2029\x85\x0b\x0c\x1c\ufeff\u00ad\U000e0041[red]x[/red][link=http://e]y[/] :smile: "
    "{0} %s %(x)s `$HOME` \\ ' \" é"
)  # fmt: skip
PARTS = st.sampled_from(
    [
        *(
            "\n",
            "\r",
            "\x1b[31m",
            "\x1b]0;t\x07",
            "\x9d",
            "\x7f",
            "\u202e",
            "\u2069",
            "\u200d",
            "\u2028",
            "\x85",
            "\x0b",
        ),
        *("\xa0", "[red]", "[/]", "[link=x]", "{", "}", "%", "\\", "'", '"', "a", " ", "é", "\U000e0020"),
        *("error: ", "\n hint: "),
    ]
)
TEXTS = st.lists(st.one_of(PARTS, st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1).map(
    "".join
)
IN_CODE = st.one_of(TEXTS, TEXTS.map(lambda text: text + "\udc80\0"))
FEW = settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def seed(body: str, text: str, doc: str = "'a seed'") -> str:
    """A seed's code, in which TEXT is the text."""
    return (
        "from loguru import logger\nfrom seedframe import Change, Finding, Rows, Setting\n"
        f"TEXT = {text!a}\n__doc__ = {doc}\n{body}"
    )


Said = list[tuple[str, str]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """What commands print, standard output and errors, each in this process."""

    def said(folder: Folder, *commands: str, env: Mapping[str, str] | None = None) -> Said:
        monkeypatch.chdir(folder.path)
        outputs: Said = []
        with monkeypatch.context() as changed:
            for name, value in {**folder.env, **(env or {})}.items():
                changed.setenv(name, value)
            for command in commands:
                capfd.readouterr()
                code = main(command.split(" "))
                printed = capfd.readouterr()
                assert code in (0, 1, 2, 3), (command, printed)
                outputs.append((f"{command}: {code}", printed.out + printed.err))
        return outputs

    return said


def require_harmless(output: str) -> None:
    """Every character is one that is seen, or the end of a line."""
    assert not {character for character in output if not character.isprintable() and character != "\n"}


def require_alike(hostile: Said, plain: Said) -> None:
    """Both ended alike, in no line more; nothing steers."""
    assert [end for end, _ in hostile] == [end for end, _ in plain]
    for (command, output), (_, other) in zip(hostile, plain, strict=True):
        require_harmless(output)
        if command == "env --example: 0":  # the help may have several lines, each of them a comment
            assert all(
                not line or line.startswith(("# ", "SHOP_MODE=", "error: seeds/", "✗ ", " hint"))
                for line in output.split("\n")
            )
        else:
            assert output.count("\n") <= other.count("\n"), (command, output, other)


COMMANDS = (
    "apply --dry-run -v",
    "apply --dry-run --out plan.json",
    "apply",
    "apply -vv --log-file log.jsonl",
    "verify -vv",
    "verify --format json",
    "history",
    "history 1 -v",
    "history --format json",
    "history --check",
    "list",
    "list --format json",
    "env",
    "env --example",
    "env --format json",
)


def everywhere(
    place: str, text: str, project: ProjectFactory, sql: Sql, said: Callable[..., Said], make: Callable[[str], None]
) -> Said:
    """What all commands print of a project that has the text in this place."""
    sql("drop schema if exists seedframe cascade; drop schema public cascade; create schema public")
    sql("create table items (k text primary key, v text)")
    make(text)
    files = PLACES[place](text)
    folder = project({})
    for name in ("plan.json", "log.jsonl"):
        (folder.path / name).unlink(missing_ok=True)
    folder.write(files)
    outputs = said(folder, *COMMANDS)
    if (folder.path / "log.jsonl").exists():
        require_lines_of_json((folder.path / "log.jsonl").read_text(encoding="utf-8"))
    if (folder.path / "plan.json").exists():
        require_harmless((folder.path / "plan.json").read_text(encoding="utf-8"))
    return outputs


def require_lines_of_json(log: str) -> None:
    """As many documents as lines, however lines are told."""
    require_harmless(log)
    assert log.endswith("\n")
    assert [json.loads(line) for line in log.splitlines()] == [json.loads(line) for line in log[:-1].split("\n")]


SEED = "seeds/10_items.py"
ROWS = "def resources():\n    yield Rows('items', key='k', rows=[{}])\n"
PLACES: dict[str, Callable[[str], dict[str, str]]] = {
    "a key": lambda text: {SEED: seed(ROWS.format("{'k': TEXT, 'v': 'x'}"), text)},
    "a value": lambda text: {SEED: seed(ROWS.format("{'k': 'x', 'v': TEXT}"), text)},
    "a docstring": lambda text: {SEED: seed(ROWS.format("{'k': 'x'}"), text, doc="TEXT")},
    "a setting's help": lambda text: {
        SEED: seed("SETTINGS = [Setting('SHOP_MODE', str, default='x', help=TEXT)]\n"
                                  "def verify(settings):\n    return ()\n", text)
    },
    "a setting's default": lambda text: {
        SEED: seed("SETTINGS = [Setting('SHOP_MODE', str, default='x' + TEXT, help='h')]\n"
                                  "def verify(settings):\n    return ()\n", text)
    },
    "the name of a resource": lambda text: {
        SEED: seed(
            "def resources():\n    yield Rows('items', key='k', name='x' + TEXT, rows=[{'k': 'x'}])\n", text
        )
    },
    "a missing table": lambda text: {
        SEED: seed(
            "def resources():\n    yield Rows('\"x' + TEXT.replace('\"', '') + '\"', key='k', rows=[{'k': 'x'}])\n",
            text,
        )
    },
    "a missing file": lambda text: {
        SEED: seed("def resources():\n    yield Rows('items', key='k', file='x' + TEXT + '.csv')\n", text)
    },
    "a condition": lambda text: {
        SEED: seed(
            "def resources():\n    yield Rows('items', key='k', rows=[{'k': 'x'}], validate={'v': 'no ' + TEXT})\n",
            text
        )
    },
    "a change": lambda text: {
        SEED: seed(
            "def check():\n"
            "    yield Change('create', {TEXT: TEXT}, None, {TEXT: TEXT}, reason=TEXT)\n"
            "def apply(plan):\n    pass\n", text
        )
    },
    "a finding": lambda text: {
        SEED: seed("CRITICAL = False\ndef verify():\n    yield Finding('x' + TEXT, 'warning')\n", text)
    },
    "a note": lambda text: {
        SEED: seed("def verify(db):\n    db.note('x' + TEXT)\n    return ()\n", text)
    },
    "an exception": lambda text: {
        SEED: seed("def verify():\n    raise RuntimeError('x' + TEXT)\n", text)
    },
    "a class of exceptions": lambda text: {
        SEED: seed("def verify():\n    raise type('x' + TEXT.replace('\\0', ''), (Exception,), {})('x')\n",
                                  text.replace("\udc80", "")),
    },
    "an import": lambda text: {SEED: seed("raise ValueError('x' + TEXT)\n", text)},
    "a log record": lambda text: {
        SEED: seed(
            "def verify():\n"
            "    logger.bind(**{'key' + TEXT: TEXT, 'b': {TEXT: [TEXT, {1, TEXT}, float('nan'), 10**9000]}})"
            ".warning('x{}', TEXT)\n"
            "    try:\n        raise ValueError('x' + TEXT)\n"
            "    except ValueError:\n        logger.exception('failed ' + TEXT)\n"
            "    return ()\n", text
        )
    },
    "tags and requirements": lambda text: {
        SEED: seed("TAGS = ['x' + TEXT]\nREQUIRES = ['x' + TEXT]\n"
                                  "def verify():\n    return ()\n", text)
    },
    "SQL that fails": lambda text: {
        SEED: seed("def verify(db):\n    yield db.scalar('select \"x' + TEXT.replace('\"', '') + '\"')\n", text)
    },
    "SQL that raises": lambda text: {
        SEED: seed(
            "def verify(db):\n    yield db.scalar('select cast(:x as int)', x='x' + TEXT)\n", text
        )
    },
}  # fmt: skip
TO_THE_SERVER = {"a key", "a value", "SQL that fails", "SQL that raises"}
_plain: dict[str, Said] = {}


@pytest.mark.promise(
    "control characters, bidi overrides, terminal links and markup in keys, values, names, errors, findings, logs",
    "shown as escapes: no line more, and nothing that steers a terminal, in each command's text and JSON",
)
@pytest.mark.parametrize("place", PLACES)
@FEW
@example(text=NASTY)
@given(text=IN_CODE)
def test_any_text_in_a_seed(
    place: str, text: str, project: ProjectFactory, sql: Sql, said: Callable[..., Said]
) -> None:
    text = text.replace("\0", "").replace("\udc80", "") if place in TO_THE_SERVER else text
    text = text or "x"
    plain = _plain.get(place) or everywhere(place, "plain", project, sql, said, lambda _: None)
    _plain[place] = plain
    hostile = everywhere(place, text, project, sql, said, lambda _: None)
    if [end for end, _ in hostile] == [end for end, _ in plain]:
        require_alike(hostile, plain)
    else:  # what cannot be a value is refused, which takes other lines
        for _, output in hostile:
            require_harmless(output)
            assert not re.search(r"^(error: forged|2026-01-01)", output, re.MULTILINE)


# From the server

TRIGGER = """
create function refuse() returns trigger language plpgsql as
    $f$ begin raise exception using message = {text}, detail = {text}, hint = {text}; end $f$;
create trigger refuse before insert on items for each row execute function refuse()
"""


@pytest.mark.promise(
    "control characters in what a trigger raises, and in the names of tables, columns and roles", "escapes"
)
@FEW
@example(text=NASTY)
@given(text=TEXTS)
def test_what_a_trigger_raises(text: str, project: ProjectFactory, sql: Sql, said: Callable[..., Said]) -> None:
    def make(text: str) -> None:
        sql(compose.SQL(TRIGGER).format(text=compose.Literal("x" + text)).as_string())

    plain, hostile = (everywhere("a value", given, project, sql, said, make) for given in ("plain", text))
    require_alike(hostile, plain)
    (refused,) = [output for end, output in hostile if end == "apply: 1"]
    assert "error" in refused


def names(text: str) -> str:
    """The beginning of a text that a name of the server may be."""
    return ("x" + text).encode()[:60].decode(errors="ignore")


@FEW
@example(text=NASTY)
@given(text=TEXTS)
def test_names_of_the_server(text: str, project: ProjectFactory, sql: Sql, said: Callable[..., Said]) -> None:
    code = (
        "def resources():\n    yield Rows('\"' + TEXT.replace('\"', '\"\"') + '\"', key=TEXT,"
        " rows=[{TEXT: 'a'}, {TEXT: 'b'}], mode='sync')\n"
    )
    outputs = []
    for given_name in ("plain", names(text)):
        sql("drop schema if exists seedframe cascade; drop schema public cascade; create schema public")
        role, name = compose.Identifier(f"r{given_name}"), compose.Identifier(given_name)
        if not sql("select 1 from pg_roles where rolname = %s", [f"r{given_name}"]):
            sql(compose.SQL("create role {} superuser login").format(role).as_string())
        sql(compose.SQL("create table {} ({} text primary key)").format(name, name).as_string())
        sql(compose.SQL("insert into {} values ('c')").format(name).as_string())
        folder = project({SEED: seed(code, given_name)})
        (folder.path / "plan.json").unlink(missing_ok=True)
        env = {"PGUSER": f"r{given_name}", "DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "@")}
        outputs.append(said(folder, *COMMANDS, env=env))
        assert sql(compose.SQL("select count(*) from {}").format(name).as_string()) == [(2,)]
    require_alike(outputs[1], outputs[0])


# From outside


@FEW
@example(text=NASTY)
@given(text=TEXTS)
def test_arguments_and_variables(text: str, project: ProjectFactory, said: Callable[..., Said]) -> None:
    folder = project({SEED: seed("def verify():\n    return ()\n", "x")})
    word = text.replace(" ", "_").replace("\0", "")

    def outputs(word: str) -> Said:
        return [
            (arguments[0], output)
            for arguments in (
                ["apply", f"x{word}"], ["list", "--tag", f"x{word}"], ["apply", "--plan", f"x{word}"], [f"x{word}"],
                ["verify", "--format", f"x{word}"], ["apply", f"--x{word}"], ["history", f"x{word}"],
                ["forget", f"x{word}"], ["apply", "--wait", f"x{word}"], ["verify", "--output", f"x{word}/y/z"],
                ["apply", "--env", f"x{word}"], ["list", "-p", f"no:x{word}"], ["list", "--config", f"x{word}"],
                ["list", "--log-file", f"x{word}/y"],
            )
            for _, output in said(folder, " ".join(arguments))
        ] + [
            (name, output)
            for name in ("SEEDFRAME_ENV", "DATABASE_URL", "SEEDFRAME_REVISION", "PGHOST", "PGSERVICE")
            for _, output in said(folder, "apply --dry-run", env={"DATABASE_URL": "", name: f"x{word}"})
        ]  # fmt: skip

    for _, output in outputs(word):
        require_harmless(output)
        assert not re.search(r"^(error: forged|2026-01-01)", output, re.MULTILINE)


@FEW
@example(text=NASTY)
@given(text=TEXTS)
def test_files_of_configuration(text: str, tmp_path_factory: pytest.TempPathFactory, said: Callable[..., Said]) -> None:
    escaped = json.dumps(text)
    for file, content in (
        ("seedframe.toml", f"[project]\nname = {escaped}\n"),
        ("seedframe.toml", f"[project]\nname = 'x'\n[{escaped}]\n{escaped} = {escaped}\n"),
        ("seedframe.toml", f"[project]\nname = 'x'\n[database]\nurl = {escaped}\nschema = {escaped}\n"),
        ("seedframe.toml", f"[project]\nname = 'x'\n[plugins]\nallow = [{escaped}]\n"),
        ("seedframe.toml", f"[project]\nname = 'x'\n[env.{escaped}.database]\nurl = {escaped}\n[seeds.{escaped}]\n"),
        ("seedframe.toml", f"[project]\nname = 'x'\n{text}"),
        ("pyproject.toml", f"[project]\nname = {escaped}\n[tool.seedframe.database]\n"),
        (".env", f"{text}\nX={text}\n{text}=x\n"),
    ):
        folder = tmp_path_factory.mktemp("configured")
        (folder / "seeds").mkdir()
        if file == ".env":
            (folder / "seedframe.toml").write_text("[project]\nname = 'x'\n")
        (folder / file).write_text(content, encoding="utf-8", newline="")
        for _, output in said(Folder(folder, None, {}), "list", "env", "plugins", "apply --dry-run", "db url"):  # type: ignore[arg-type]
            require_harmless(output)
            assert not re.search(r"^(error: forged|2026-01-01)", output, re.MULTILINE)


@pytest.mark.parametrize("name", ["a\nerror: forged", "a\x1b[2Jb", "a\u202eb", "a\udc80b", "[red]x"], ids=ascii)
def test_the_name_of_the_folder(name: str, tmp_path: Path, said: Callable[..., Said], database: str) -> None:
    root = tmp_path / name
    (root / "seeds").mkdir(parents=True)
    (root / "seedframe.toml").write_text("[database]\n")
    (root / "seeds/10_items.py").write_text("def verify():\n    raise ValueError('x')\n")
    folder = Folder(root, None, {"DATABASE_URL": database})  # type: ignore[arg-type]
    for _, output in said(folder, "list", "env --example", "apply -v", "verify -vv --log-file log.jsonl", "history"):
        require_harmless(output)
        assert not re.search(r"^error: forged", output, re.MULTILINE)


@FEW
@example(text=NASTY)
@given(text=TEXTS)
def test_metadata_of_plugins(
    text: str, project: ProjectFactory, tmp_path_factory: pytest.TempPathFactory, said: Callable[..., Said],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    folder = project({"seedframe.toml": '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-x"]\n'})
    site = tmp_path_factory.mktemp("site")
    folded = text.replace("\n", "").replace("\r", "")
    for number, (name, version, point) in enumerate(
        [("seedframe-x", folded, "10_x = nowhere"), (f"seedframe-{folded}", "1", "10_y = nowhere"),
         ("seedframe-x2", "1", f"10_{folded} = {folded}"), ("seedframe-x3", "1", f"{folded} = a:{folded}")]
    ):  # fmt: skip
        info = site / f"x{number}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {folded}\n",
            encoding="utf-8",
            newline="",
        )
        (info / "entry_points.txt").write_text(f"[seedframe]\n{point}\n", encoding="utf-8", newline="")
    with monkeypatch.context() as changed:
        changed.syspath_prepend(str(site))
        for _, output in said(folder, "plugins", "plugins --format json", "list", "list --format json"):
            require_harmless(output)
            assert not re.search(r"^(error: forged|2026-01-01)", output, re.MULTILINE)


# On a terminal


class Terminal(io.StringIO):
    """A stream that says it is one."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@FEW
@example(text=NASTY)
@given(text=IN_CODE)
def test_a_progress_bar(text: str) -> None:
    from seedframe.seed import Seed

    item = Seed(name="items", number=10, label="10_items", origin="seeds/10_items.py", plugin=None, files=None)
    drawn = {}
    for shown in ("plain", text):
        stream = Terminal()
        with ProgressBar(stream, color=True, delay_s=3600) as bar:
            bar.show()
            bar.run_started((item,), "apply")
            bar.waiting(f"x{shown}")
            bar.refresh()
            bar.seed_started(replace(item, label=f"x{shown}"))
            bar.refresh()
            bar.rows_read(item, f"rows:x{shown}", 5)
            bar.refresh()
            changes = Changes.of([Change("create", {"k": shown}, None, {shown: shown})])
            bar.resource_planned(item, ResourceOutcome(f"rows:x{shown}", Verdict.PENDING, changes))
            bar.refresh()
        drawn[shown] = stream.getvalue()
    # What rich itself draws with: colours, and moves of the cursor within the line.
    own = set(re.findall(r"\x1b\[[0-9;?]*[a-zA-Z]|\r|\n", drawn["plain"]))
    rest = drawn[text]
    for sequence in sorted(own, key=len, reverse=True):
        rest = rest.replace(sequence, "")
    require_harmless(rest)
    assert drawn[text].count("\n") == drawn["plain"].count("\n")


@pytest.mark.parametrize("command", ["apply --dry-run -v", "verify", "list", "env", "history 1 -v"])
def test_colours_are_all_that_a_terminal_is_told(command: str, project: ProjectFactory, sql: Sql, said: Any) -> None:
    sql("create table items (k text primary key, v text)")
    text = NASTY
    folder = project(
        {
            SEED: seed(
                "SETTINGS = [Setting('SHOP_MODE', str, default='x', help=TEXT)]\n"
                "def resources():\n    yield Rows('items', key='k', rows=[{'k': TEXT, 'v': TEXT}])\n"
                "def verify(settings):\n    yield Finding(TEXT, 'warning')\n",
                text,
                doc="TEXT",
            )
        }
    )
    said(folder, "apply")
    for _, output in said(folder, command, env={"FORCE_COLOR": "1"}):
        require_harmless(re.sub(r"\x1b\[[0-9;]*m", "", output))


# Alone


@given(st.text(st.characters(codec=None, categories=None)), st.integers())
def test_json_can_be_seen_and_reads_back(text: str, number: int) -> None:
    written = json_text({text: [text, number]})
    assert written.isprintable()
    assert json.loads(written) == {text: [text, number]}
    indented = json_text({text: [text, number]}, indent=1)
    assert indented.replace("\n", "").isprintable()
    assert json.loads(indented) == {text: [text, number]}
