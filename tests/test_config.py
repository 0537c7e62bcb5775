"""seedframe.toml, environments, .env and the database's url: what is read, and every mistake's line."""

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg import pq

from seedframe.configuration import config as config_module
from seedframe.configuration.config import Config, load_config
from seedframe.configuration.config_file import ConfigFile
from seedframe.configuration.config_schema import SEED_KEYS
from seedframe.configuration.config_schema import TABLES as TABLES_AND_KEYS
from seedframe.configuration.dotenv import dotenv_value, parse_dotenv, read_dotenv
from seedframe.configuration.durations import LONGEST_S, Misfit, parse_duration
from seedframe.configuration.toml_lines import key_lines, line_of
from seedframe.configuration.variables import Variable, find_variable
from seedframe.errors import ConfigError
from seedframe.secrets import MASK
from tests.conftest import Cli, Folder

CANARY = "canary-7f3a"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory named `shop`."""
    path = tmp_path / "shop"
    path.mkdir()
    monkeypatch.chdir(path)
    return path


def load(
    folder: Path,
    text: str | None = None,
    *,
    env: str | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: str | None = None,
) -> Config:
    if text is not None:
        (folder / "seedframe.toml").write_text(text, encoding="utf-8")
    if dotenv is not None:
        (folder / ".env").write_text(dotenv, encoding="utf-8")
    return load_config(folder, env=env, environ=environ or {})


def mistakes(
    folder: Path,
    text: str | None = None,
    *,
    env: str | None = None,
    environ: Mapping[str, str] | None = None,
    dotenv: str | None = None,
) -> list[str]:
    """The lines of the error that `load` ends in."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, env=env, environ=environ, dotenv=dotenv)
    return str(caught.value).splitlines()


def revealed(config: Config) -> str | None:
    return None if config.database.url is None else config.database.url.reveal()


# What is read


def test_an_empty_file_is_a_project_with_defaults(folder: Path) -> None:
    config = load(folder, "")
    assert config == Config(
        root=folder,
        file=folder / "seedframe.toml",
        project="shop",
        env="development",
        database=config.database,
        seeds_dir=folder / "seeds",
    )
    database = config.database
    assert (database.embedded, database.source, database.schema, database.search_path) == (
        True,
        "default",
        "public",
        (),
    )
    assert (database.lock_timeout_s, database.statement_timeout_s, database.connect_timeout_s) == (5.0, 0.0, 10.0)


def test_every_key_is_read(folder: Path) -> None:
    config = load(
        folder,
        """
        [project]
        name = "store"
        seeds = "db/seeds"
        [database]
        url = "postgresql://app@db.example.com/store"
        schema = "shop"
        search_path = ["shared", "extensions"]
        lock_timeout = "500ms"
        statement_timeout = "2min"
        connect_timeout = 3
        [migrations]
        command = "alembic -c 'my file.ini' upgrade head"
        [plugins]
        allow = ["seedframe-iso>=1,<2"]
        [ledger]
        baseline_rows = 5
        [seeds.reference]
        order = 15
        enabled = false
        environments = ["staging"]
        currency = {code = "EUR", digits = 2}
        """,
    )
    assert (config.project, config.seeds_dir, config.baseline_rows) == ("store", folder / "db/seeds", 5)
    assert config.migrations == ("alembic", "-c", "my file.ini", "upgrade", "head")
    assert config.plugins_allow == ("seedframe-iso>=1,<2",)
    assert config.seeds == {
        "reference": {
            "order": 15,
            "enabled": False,
            "environments": ("staging",),
            "currency": {"code": "EUR", "digits": 2},
        }
    }
    database = config.database
    assert revealed(config) == "postgresql://app@db.example.com/store"
    assert (database.schema, database.search_path) == ("shop", ("shared", "extensions"))
    assert (database.lock_timeout_s, database.statement_timeout_s, database.connect_timeout_s) == (0.5, 120.0, 3.0)


def test_a_command_may_be_an_array(folder: Path) -> None:
    assert load(folder, '[migrations]\ncommand = ["make", "two words"]').migrations == ("make", "two words")


def test_no_plugin_list_and_an_empty_one_are_two_things(folder: Path) -> None:
    assert load(folder, "").plugins_allow is None
    assert load(folder, "[plugins]\nallow = []").plugins_allow == ()


def test_disabled_plugins_are_kept(folder: Path) -> None:
    (folder / "seedframe.toml").touch()
    assert load_config(disabled=["iso", "extra"]).plugins_disabled == {"iso", "extra"}


def test_the_file_is_found_from_a_folder_below(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "seedframe.toml").touch()
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert load_config().root == folder
    assert load_config(Path("..")).root == folder


def test_a_file_may_be_named(folder: Path) -> None:
    other = folder / "other.toml"
    other.write_text('[project]\nname = "other"')
    assert load_config(other).project == "other"
    assert load_config(Path("other.toml")).file == other


def test_pyproject_is_an_alternative_and_gives_the_name(folder: Path) -> None:
    text = '[project]\nname = "from-pyproject"\n'
    pyproject = folder / "pyproject.toml"
    pyproject.write_text(text)
    assert load(folder, "").project == "from-pyproject"
    (folder / "seedframe.toml").unlink()
    pyproject.write_text(text + '[tool.seedframe.database]\nschema = "shop"\n')
    config = load_config()
    assert (config.project, config.file, config.database.schema) == ("from-pyproject", pyproject, "shop")
    assert load_config(pyproject) == config
    pyproject.write_text(text + '[tool.seedframe.project]\nname = "own"\n')
    assert load_config().project == "own"


def test_a_pyproject_without_the_table_is_passed_by(folder: Path) -> None:
    (folder / "seedframe.toml").touch()
    below = folder / "package"
    below.mkdir()
    (below / "pyproject.toml").write_text('[project]\nname = "package"\n')
    assert load_config(below).project == "shop"


# Environments


OVERLAYS = """
[database]
schema = "base"
lock_timeout = 1
[seeds.admin]
order = 3
limits = {low = 1, high = 2}
[env.production.database]
schema = "prod"
[env.production.seeds.admin]
enabled = false
limits = {high = 9}
[env.staging]
"""


def test_an_overlay_is_merged_over_the_base(folder: Path) -> None:
    config = load(folder, OVERLAYS, env="production")
    assert (config.env, config.database.schema, config.database.lock_timeout_s) == ("production", "prod", 1.0)
    assert config.seeds["admin"] == {"order": 3, "enabled": False, "limits": {"low": 1, "high": 9}}


@pytest.mark.parametrize("env", ["development", "staging", "test", "ci"])
def test_other_environments_have_the_base(folder: Path, env: str) -> None:
    config = load(folder, OVERLAYS, env=env)
    assert (config.env, config.database.schema) == (env, "base")
    assert config.seeds["admin"] == {"order": 3, "limits": {"low": 1, "high": 2}}


def test_the_environment_is_the_option_then_the_variable_then_dotenv(folder: Path) -> None:
    variable = {"SEEDFRAME_ENV": "staging"}
    dotenv = "SEEDFRAME_ENV=production"
    assert load(folder, OVERLAYS, env="ci", environ=variable, dotenv=dotenv).env == "ci"
    assert load(folder, environ=variable).env == "staging"
    assert load(folder).env == "production"
    assert load(folder, environ={"SEEDFRAME_ENV": ""}).env == "development"


MEANT = "If '{env}' is meant, add an empty table [env.{env}]"


@pytest.mark.parametrize("env", ["prod", "prodution", "production-eu"])
def test_a_name_that_resembles_an_overlay_is_refused(folder: Path, env: str) -> None:
    assert mistakes(folder, OVERLAYS, env=env) == [
        f"--env: seedframe.toml has no environment '{env}' (did you mean 'production'? {MEANT.format(env=env)})"
    ]
    assert load(folder, OVERLAYS + f"[env.{env}]", env=env).env == env


@pytest.mark.parametrize("env", ["", " ", "a b", "-x", "ü", "x\ny", "x" * 64])
def test_a_name_that_is_none(folder: Path, env: str) -> None:
    assert mistakes(folder, "", env=env) == [
        "--env: not a name for an environment (letters, digits, and - _ . after the first character)"
    ]


def test_where_a_wrong_environment_comes_from(folder: Path) -> None:
    [line] = mistakes(folder, OVERLAYS, environ={"SEEDFRAME_ENV": "prod"})
    assert line.startswith("SEEDFRAME_ENV: seedframe.toml has no environment 'prod'")
    [line] = mistakes(folder, OVERLAYS, dotenv="SEEDFRAME_ENV=prod")
    assert line.startswith("SEEDFRAME_ENV in .env: seedframe.toml has no environment 'prod'")


# Which database


URL_IN_FILE = f'[database]\nurl = "postgresql://u:{CANARY}@file/db"'


def test_the_first_of_four_wins(folder: Path) -> None:
    everything = {"DATABASE_URL": "postgresql://variable/db", "PGHOST": "libpq"}
    config = load(folder, URL_IN_FILE, environ=everything)
    assert (revealed(config), config.database.source) == ("postgresql://variable/db", "DATABASE_URL")
    config = load(folder, environ={"PGHOST": "libpq", "DATABASE_URL": ""})
    assert (revealed(config), config.database.source) == (
        f"postgresql://u:{CANARY}@file/db",
        "seedframe.toml [database] url",
    )
    config = load(folder, "", environ={"PGHOST": "libpq", "PGUSER": "u"})
    assert (config.database.url, config.database.source) == (None, "the libpq variables (PGHOST …)")
    assert not config.database.embedded
    assert load(folder, "").database.embedded


@pytest.mark.parametrize("name", ["PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER"])
def test_each_libpq_variable_that_names_a_server_counts(folder: Path, name: str) -> None:
    config = load(folder, "", environ={name: "1"})
    assert (config.database.url, config.database.source) == (None, f"the libpq variables ({name} …)")


@pytest.mark.parametrize("name", ["PGPASSWORD", "PGSSLMODE", "PGAPPNAME", "PGOPTIONS"])
def test_libpq_variables_that_only_say_how_do_not(folder: Path, name: str) -> None:
    assert load(folder, "", environ={name: "1"}).database.embedded


def test_the_process_environment_is_the_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "seedframe.toml").touch()
    monkeypatch.setenv("DATABASE_URL", "postgresql://process/db")
    assert revealed(load_config()) == "postgresql://process/db"


def test_the_url_of_an_overlay(folder: Path) -> None:
    text = URL_IN_FILE + '\n[env.production.database]\nurl = "embedded"'
    config = load(folder, text, env="production")
    assert config.database.embedded
    assert config.database.source == "seedframe.toml [env.production.database] url"


def test_the_url_from_a_file(folder: Path) -> None:
    secret = folder / "secret"
    secret.write_text("postgresql://file/db\n")
    for path in (str(secret), "secret"):
        config = load(folder, URL_IN_FILE, environ={"DATABASE_URL_FILE": path})
        assert revealed(config) == "postgresql://file/db"
        assert config.database.source == f"DATABASE_URL_FILE (file {secret})"


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"x\n", "x"), (b"x\r\n", "x"), (b"x", "x"), (b"x\n\n", "x\n"), (b" x ", " x "), (b"x\r", "x\r")],
)
def test_one_line_break_is_taken_from_a_file(folder: Path, content: bytes, value: str) -> None:
    (folder / "secret").write_bytes(content)
    found = find_variable("NAME", {"NAME_FILE": "secret"}, {}, folder)
    assert isinstance(found, Variable)
    assert (found.value, found.source) == (value, f"file {folder / 'secret'}")


def test_dotenv_is_read_and_never_overrides(folder: Path) -> None:
    config = load(
        folder,
        "",
        environ={"A": "environment", "EMPTY": ""},
        dotenv='A=dotenv\nB="two words"\nEMPTY=dotenv\nDATABASE_URL=postgresql://dotenv/db',
    )
    assert dict(config.variables) == {
        "A": "environment",
        "B": "two words",
        "EMPTY": "",
        "DATABASE_URL": "postgresql://dotenv/db",
    }
    assert dict(config.variable_sources) == {"B": ".env", "DATABASE_URL": ".env"}
    assert (revealed(config), config.database.source) == ("postgresql://dotenv/db", "DATABASE_URL in .env")


def test_what_the_environment_sets_beats_its_other_half_in_dotenv(folder: Path) -> None:
    (folder / "secret").write_text("postgresql://file/db")
    config = load(folder, "", environ={"DATABASE_URL": "postgresql://env/db"}, dotenv="DATABASE_URL_FILE=secret")
    assert revealed(config) == "postgresql://env/db"
    config = load(folder, environ={"DATABASE_URL_FILE": "secret"}, dotenv="DATABASE_URL=postgresql://dotenv/db")
    assert revealed(config) == "postgresql://file/db"


def test_libpq_variables_of_dotenv_become_keywords(folder: Path) -> None:
    config = load(folder, "", environ={"PGUSER": "me"}, dotenv=f"PGHOST=h\nPGUSER=you\nPGPASSWORD={CANARY}")
    assert config.database.url is None
    assert {key: value.reveal() for key, value in config.database.libpq.items()} == {"host": "h", "password": CANARY}


def test_the_table_of_libpq_variables_is_libpqs() -> None:
    theirs = {option.envvar.decode(): option.keyword.decode() for option in pq.Conninfo.get_defaults() if option.envvar}
    ours = config_module._LIBPQ_KEYWORDS
    assert {name: theirs.get(name) for name in ours} == dict(ours)


def test_a_directory_named_dotenv_is_no_mistake(folder: Path) -> None:
    (folder / ".env").mkdir()
    assert load(folder, "").project == "shop"


def test_no_password_is_shown(folder: Path) -> None:
    config = load(folder, URL_IN_FILE, environ={"SEED_PASSWORD": CANARY}, dotenv=f"PGPASSWORD={CANARY}\nOTHER={CANARY}")
    assert CANARY not in repr(config)
    assert MASK in repr(config)


# Mistakes


def test_no_configuration(folder: Path) -> None:
    (folder / "seeds").mkdir()
    with pytest.raises(ConfigError) as caught:
        load_config()
    assert str(caught.value) == (
        f"{folder}: no seedframe.toml here or in any folder above (`seedframe new project` writes one to start from; or"
        " create seedframe.toml beside the seeds folder (it may be empty), or add [tool.seedframe] to pyproject.toml)"
    )


def test_a_path_that_is_not_there(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(Path("nowhere.toml"))
    assert str(caught.value) == ("nowhere.toml: no such file or folder (give the configuration file, or its folder)")


def test_a_pyproject_without_the_table_named_outright(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.other]")
    with pytest.raises(ConfigError) as caught:
        load_config(Path("pyproject.toml"))
    assert str(caught.value) == "pyproject.toml: no table [tool.seedframe] (add it; it may be empty)"


def test_both_files(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.seedframe]")
    assert mistakes(folder, "[databse]") == [
        "pyproject.toml: [tool.seedframe] of pyproject.toml stands beside seedframe.toml (keep one of the two)",
        "seedframe.toml:1: databse: unknown table (did you mean 'database'?)",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[project\n", r"seedframe\.toml:1: not valid TOML: .+"),
        ("a = 1\na = 2\n", r"seedframe\.toml:2: not valid TOML: cannot overwrite a value"),
        ('\n\nx = "', r"seedframe\.toml:3: not valid TOML: .+"),
        ("a = " + "9" * 5000, r"seedframe\.toml: not TOML that can be read: a number too long or tables too deep"),
    ],
)
def test_what_is_not_toml(folder: Path, text: str, line: str) -> None:
    [found] = mistakes(folder, text)
    assert re.fullmatch(line, found)


def test_what_is_not_utf8(folder: Path) -> None:
    (folder / "seedframe.toml").write_bytes(b'[project]\nname = "caf\xe9"')
    assert mistakes(folder) == ["seedframe.toml: is not UTF-8 text (TOML is always UTF-8; save it so)"]


def test_a_broken_pyproject_beside(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[project\n")
    [line] = mistakes(folder, "")
    assert line.startswith("pyproject.toml:1: not valid TOML: ")


DURATION = 'expected a duration such as "5s", "500ms" or "2min", or a number of seconds'
TABLES = "project, database, migrations, accounts, plugins, ledger, limits, lint, seeds"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[datbase]", "1: datbase: unknown table (did you mean 'database'?)"),
        ("[zzz]", f"1: zzz: unknown table (known tables: {TABLES}, env)"),
        ("url = 1", f"1: url: unknown key (known tables: {TABLES}, env)"),
        ("database = 1", "1: database: expected a table, found a whole number (write [database])"),
        ("[database]\nurll = 1", "2: database.urll: unknown key (did you mean 'url'?)"),
        (
            "[ledger]\nzzz = 1",
            "2: ledger.zzz: unknown key (known keys: baseline_rows, changed_rows, keep_unchanged_runs)",
        ),
        ("[database]\nurl = 1", "2: database.url: expected a text, found a whole number"),
        ('[database]\nurl = " "', "2: database.url: is empty"),
        ('[database]\nurl = "a\\nb"', "2: database.url: has control characters in it"),
        ("[database]\nschema = true", "2: database.schema: expected a text, found true or false"),
        (
            f'[database]\nschema = "{"é" * 32}"',
            "2: database.schema: is longer than the 63 bytes PostgreSQL keeps of a name",
        ),
        ('[database]\nsearch_path = "a,b"', "2: database.search_path: expected an array of texts, found a text"),
        (
            '[database]\nsearch_path = [\n  "a",\n  1.5,\n]',
            "2: database.search_path: expected an array of texts, found a number in it",
        ),
        ('[database]\nsearch_path = [""]', "2: database.search_path: is empty"),
        ("[database]\nlock_timeout = true", f"2: database.lock_timeout: {DURATION}"),
        ("[database]\nlock_timeout = 1979-05-27", f"2: database.lock_timeout: {DURATION}"),
        ("[database]\nlock_timeout = -1", f"2: database.lock_timeout: {DURATION}, 0 or more"),
        ("[database]\nlock_timeout = nan", f"2: database.lock_timeout: {DURATION}, 0 or more"),
        (
            '[database]\nlock_timeout = "5"',
            f"2: database.lock_timeout: {DURATION} (a text needs a unit: ms, s, min, h, d)",
        ),
        ('[database]\nlock_timeout = "5 m"', "2: database.lock_timeout: unknown unit 'm' (known: ms, s, min, h, d)"),
        (
            '[database]\nlock_timeout = "0.1ms"',
            "2: database.lock_timeout: shorter than 1ms, which the server would take for no limit at all",
        ),
        (
            '[database]\nlock_timeout = "25d"',
            "2: database.lock_timeout: longer than the 24 days that PostgreSQL can wait; 0 means no limit",
        ),
        (
            "[database]\nlock_timeout = inf",
            "2: database.lock_timeout: longer than the 24 days that PostgreSQL can wait; 0 means no limit",
        ),
        (
            "[migrations]\ncommand = 1",
            "2: migrations.command: expected a text or an array of texts, found a whole number",
        ),
        ("[migrations]\ncommand = []", "2: migrations.command: is empty"),
        (
            '[migrations]\ncommand = "a \'b"',
            "2: migrations.command: cannot be split into words: no closing quotation",
        ),
        ("[plugins]\nallow = {}", "2: plugins.allow: expected an array of texts, found a table"),
        ("[ledger]\nbaseline_rows = 1.0", "2: ledger.baseline_rows: expected a whole number, found a number"),
        ("[ledger]\nbaseline_rows = true", "2: ledger.baseline_rows: expected a whole number, found true or false"),
        ("[ledger]\nbaseline_rows = -1", "2: ledger.baseline_rows: expected a whole number from 0 to 2147483647"),
        ("[ledger]\nbaseline_rows = []", "2: ledger.baseline_rows: expected a whole number, found an array"),
        (
            "[ledger]\nbaseline_rows = 1979-05-27",
            "2: ledger.baseline_rows: expected a whole number, found a date or time",
        ),
        ("seeds = 1", "1: seeds: expected a table, found a whole number (write [seeds])"),
        ("[seeds]\ncore = 1", "2: seeds.core: expected a table, found a whole number (write [seeds.core])"),
        ('[seeds.core]\nenabled = "no"', "2: seeds.core.enabled: expected true or false, found a text"),
        ("env = 1", "1: env: expected a table, found a whole number (write [env.NAME])"),
        ("[env]\nprod = 1", "2: env.prod: expected a table, found a whole number (write [env.prod])"),
        ("[env.x.databse]", "1: env.x.databse: unknown table (did you mean 'database'?)"),
        ("[env.x.env.y]", f"1: env.x.env: unknown table (known tables: {TABLES})"),
        ("[env.x.database]\nschema = 1", "2: env.x.database.schema: expected a text, found a whole number"),
        ("[env.x]\nseeds.core.order = 1.5", "2: env.x.seeds.core.order: expected a whole number, found a number"),
        ('[project]\nname = ""', "2: project.name: is empty"),
        (
            "[seeds.x]\nenvironments = []",
            "2: seeds.x.environments: is empty: the seed would never run, for which there is enabled = false",
        ),
    ],
)
def test_each_mistake_has_its_line(folder: Path, text: str, line: str) -> None:
    assert mistakes(folder, text) == [f"seedframe.toml:{line}"]


def test_in_pyproject_the_key_is_whole(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[project]\nname = 'x'\n\n[tool.seedframe.database]\nschema = 1\n")
    assert mistakes(folder) == [
        "pyproject.toml:5: tool.seedframe.database.schema: expected a text, found a whole number"
    ]


def test_all_mistakes_are_reported_at_once(folder: Path) -> None:
    assert mistakes(
        folder,
        "[projet]\n[database]\nlock_timeout = -1\n[env.production]\n",
        env="prod",
        environ={"DATABASE_URL": "x", "DATABASE_URL_FILE": "y"},
        dotenv="=\nPGSERVICEFILE=x\n",
    ) == [
        ".env:1: expected NAME=value (a name has letters, digits and _; comments start with #)",
        "seedframe.toml:1: projet: unknown table (did you mean 'project'?)",
        f"seedframe.toml:3: database.lock_timeout: {DURATION}, 0 or more",
        f"--env: seedframe.toml has no environment 'prod' (did you mean 'production'? {MEANT.format(env='prod')})",
        "environment: DATABASE_URL and DATABASE_URL_FILE are both set (unset one of the two)",
        ".env: PGSERVICEFILE has no effect in .env (set it in the environment)",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            None,
            "the file cannot be read: No such file or directory (DATABASE_URL_FILE names a file that holds the value)",
        ),
        (b"", "the file is empty (write the value into it, or unset DATABASE_URL_FILE)"),
        (b"\n", "the file is empty (write the value into it, or unset DATABASE_URL_FILE)"),
        (b"\xff" + CANARY.encode(), "the file is not UTF-8 text (save it as UTF-8)"),
        (b"\0" + CANARY.encode(), "the file has a NUL character in it (remove it)"),
        (
            b"x" * 1_048_577,
            "the file is larger than 1 MiB (DATABASE_URL_FILE names a file that holds the value alone)",
        ),
    ],
)
def test_a_value_file_that_cannot_be_used(folder: Path, content: bytes | None, message: str) -> None:
    secret = folder / "secret"
    if content is not None:
        secret.write_bytes(content)
    assert mistakes(folder, "", environ={"DATABASE_URL_FILE": "secret"}) == [f"DATABASE_URL_FILE={secret}: {message}"]


def test_a_project_at_the_root_of_the_file_system_has_no_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ConfigFile(path=folder / "seedframe.toml", text="", document={}, at=(), default_name=Path("/").name)
    monkeypatch.setattr(config_module, "find_config_file", lambda path: file)
    assert mistakes(folder) == [
        'seedframe.toml: project.name: the project has no name (write name = "…" under [project])'
    ]


# Lines


def test_lines_of_keys() -> None:
    text = '# [comment]\n[a]\nx = """\n[b]\ny = 1\n"""\n"dotted.key" = 1\n\n'
    text += '[[c.d]]\nz = [\n 1,\n]\n[e."f g"]\nh.i = {j = 1}\r\n'
    tomllib.loads(text)
    assert key_lines(text) == {
        ("a",): 2,
        ("a", "x"): 3,
        ("a", "dotted.key"): 7,
        ("c",): 9,
        ("c", "d"): 9,
        ("c", "d", "z"): 10,
        ("e",): 13,
        ("e", "f g"): 13,
        ("e", "f g", "h"): 14,
        ("e", "f g", "h", "i"): 14,
        ("e", "f g", "h", "i", "j"): 14,
    }
    assert line_of(key_lines(text), ("a", "unknown")) == 2
    assert line_of(key_lines(text), ("unknown",)) is None


# Durations


@given(
    st.integers(0, 10**9),
    st.sampled_from([("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)]),
    st.sampled_from(["", " "]),
)
@example(0, ("s", 1000), "")
def test_a_duration_is_its_number_of_units(number: int, unit: tuple[str, int], space: str) -> None:
    name, milliseconds = unit
    text = f"{number}{space}{name}"
    if number * milliseconds > 2_147_483_647:
        with pytest.raises(Misfit, match="24 days"):
            parse_duration(text)
    else:
        seconds = parse_duration(text)
        assert round(seconds * 1000) == number * milliseconds
        assert parse_duration(seconds) == seconds


@given(st.one_of(st.text(), st.floats(), st.integers(), st.none(), st.booleans(), st.lists(st.integers())))
def test_whatever_is_given_is_a_duration_in_range_or_a_misfit(value: object) -> None:
    try:
        seconds = parse_duration(value)
    except Misfit:
        return
    assert seconds == 0 or 0.001 <= seconds <= LONGEST_S
    assert math.isfinite(seconds)


# .env

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@given(st.dictionaries(NAMES, TEXTS), st.sampled_from(["", "export "]), st.sampled_from(["\n", "\r\n", "\n\n# note\n"]))
def test_what_is_written_is_read(values: dict[str, str], prefix: str, line_end: str) -> None:
    text = "".join(f"{prefix}{name}={dotenv_value(value)}{line_end}" for name, value in values.items())
    parsed = parse_dotenv(text)
    assert parsed.problems == ()
    assert parsed.values == values
    assert all(len(dotenv_value(value).split("\n")) == 1 for value in values.values())


@given(TEXTS.filter(lambda text: "'" not in text and "\r" not in text))
def test_single_quotes_are_taken_as_they_stand(value: str) -> None:
    parsed = parse_dotenv(f"NAME='{value}' # comment\nAFTER=1")
    assert (parsed.values, parsed.problems) == ({"NAME": value, "AFTER": "1"}, ())


@given(st.text())
def test_any_text_is_read_or_its_mistakes_named(text: str) -> None:
    parsed = parse_dotenv(text)
    lines = text.replace("\r\n", "\n").count("\n") + 1
    assert all(re.fullmatch(r"\.env:\d+", problem.where or "") for problem in parsed.problems)
    assert all(1 <= int((problem.where or "").partition(":")[2]) <= lines for problem in parsed.problems)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# comment\n\n   # another\n", {}),
        ("A=1", {"A": "1"}),
        ("  export A=1", {"A": "1"}),
        ("export=1", {"export": "1"}),
        ("A = 1 ", {"A": "1"}),
        ("A=", {"A": ""}),
        ("A=\nB=2", {"A": "", "B": "2"}),
        ("A= # nothing", {"A": ""}),
        ("A=#1", {"A": ""}),
        ("A=x#1", {"A": "x#1"}),
        ("A=x #1", {"A": "x"}),
        ("A=two words", {"A": "two words"}),
        ("A=it's", {"A": "it's"}),
        ("A=$B ${C} `d`", {"A": "$B ${C} `d`"}),
        ("A='$B \\n'", {"A": "$B \\n"}),
        (r'A="\n\t\r\\\"\$"', {"A": '\n\t\r\\"$'}),
        ('A="$B"', {"A": "$B"}),
        ('A="one\ntwo"\nB=1', {"A": "one\ntwo", "B": "1"}),
        ("A='x' # c\nB=1", {"A": "x", "B": "1"}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
    ],
)
def test_dotenv_values(text: str, values: dict[str, str]) -> None:
    parsed = parse_dotenv(text)
    assert (parsed.values, parsed.problems) == (values, ())


EXPECTED = "expected NAME=value (a name has letters, digits and _; comments start with #)"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (CANARY, f"1: {EXPECTED}"),
        (f"A=1\n{CANARY}=2", f"2: {EXPECTED}"),
        (f"1A={CANARY}", f"1: {EXPECTED}"),
        ("export A", f"1: {EXPECTED}"),
        (f"A=1\nB=2\nA={CANARY}", "3: A was set before, on line 1 (keep one of the two)"),
        (f'A="{CANARY}', r"""1: a quote is opened and never closed (write \" for a quote inside double quotes)"""),
        (f"A='{CANARY}", "1: a quote is opened and never closed (use double quotes around a single one)"),
        (
            f'A="x"{CANARY}',
            r"""1: there is text after the closing quote (write \" for a quote inside double quotes)""",
        ),
        (f"A='x'{CANARY}", "1: there is text after the closing quote (use double quotes around a single one)"),
        (
            f'A="{CANARY}\\q"',
            r"""1: unknown escape in double quotes (these are known: \n \r \t \\ \" \$)""",
        ),
        (f"A={CANARY}\0", "1: A has a NUL character in it (remove it)"),
    ],
)
def test_dotenv_mistakes_never_show_the_value(text: str, line: str) -> None:
    parsed = parse_dotenv(text)
    assert [str(problem) for problem in parsed.problems] == [f".env:{line}"]


def test_dotenv_mistakes_are_all_found() -> None:
    parsed = parse_dotenv("A=1\nb ad\nC='x'y\nD=4\n")
    assert [problem.where for problem in parsed.problems] == [".env:2", ".env:3"]
    assert parsed.values == {"A": "1", "D": "4"}


def test_a_dotenv_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"A=\xff")
    assert [str(problem) for problem in read_dotenv(file, ".env").problems] == [
        ".env: is not UTF-8 text (save it as UTF-8)"
    ]
    file.write_bytes("\ufeffA=é\n".encode())
    assert read_dotenv(file).values == {"A": "é"}


UNREADABLE = Path("/proc/self/mem")  # a regular file that opens, and whose first byte root cannot read either


@pytest.mark.skipif(not UNREADABLE.exists(), reason="only Linux has such a file")
def test_files_that_cannot_be_read(folder: Path) -> None:
    (folder / ".env").symlink_to(UNREADABLE)
    assert mistakes(folder, "") == [".env: cannot be read: Input/output error"]
    (folder / "seedframe.toml").unlink()
    (folder / "seedframe.toml").symlink_to(UNREADABLE)
    assert mistakes(folder) == ["seedframe.toml: cannot be read: Input/output error"]


# The documentation

DOCS = Path(__file__).parent.parent / "docs" / "configuration.md"


def test_every_sample_of_the_documentation_runs(tmp_path: Path, cli: Cli) -> None:
    """In order, in one project: files that name themselves are written, commands print what is shown."""
    folder = Folder(tmp_path / "clinic", cli)
    kinds: list[str] = []
    for kind, sample in re.findall(
        r"^```(\w+)\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        kinds.append(kind)
        if kind == "console":
            command, _, printed = sample.partition("\n")
            done = folder.run(*command.removeprefix("$ seedframe ").split())
            assert done.stdout + done.stderr == printed
            assert done.returncode == (3 if done.stderr else 0)
        elif kind == "dotenv":
            parsed = parse_dotenv(sample)
            assert parsed.problems == ()
            assert parsed.values["ADMIN_EMAIL"] == "root@example.com"
            assert parsed.values["ADMIN_PASSWORD"] == 'taken as it stands: $HOME \\n # "'
            assert parsed.values["GREETING"] == 'two\nlines, a " and a $'
        else:
            name = sample.partition("\n")[0].removeprefix("# ")
            if name == "pyproject.toml":
                (folder.path / "seedframe.toml").unlink()
            folder.write({name: sample})
            if name.endswith(".toml") and "[migration]" not in sample:
                check_documented_file(folder.path)
            if name == "pyproject.toml":
                folder.write({name: sample.partition("[tool")[0]})
    assert kinds == ["toml", "toml", "toml", "console", "python", "console", "console", "dotenv", "toml", "console"]


def check_documented_file(folder: Path) -> None:
    config = load_config(folder, environ={})
    assert config.project == "clinic"
    if (folder / "seedframe.toml").exists():
        production = load_config(folder, env="production", environ={})
        assert production.database.lock_timeout_s == (1.0 if "demo" in production.seeds else 5.0)
    else:
        assert config.database.schema == "clinic"


def test_every_key_is_documented() -> None:
    with_all = next(re.finditer(r"^```toml\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    documented = tomllib.loads(with_all[1])
    assert {table: set(keys) for table, keys in documented.items() if table != "seeds"} == {
        table: set(checks) for table, checks in TABLES_AND_KEYS.items()
    }
    assert set(documented["seeds"]["reference"]) - {"currency"} == set(SEED_KEYS)


def test_the_documented_defaults_are_the_defaults(folder: Path) -> None:
    with_all = next(re.finditer(r"^```toml\n(.*?)^```$", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    documented, empty = load(folder, with_all[1]), load(folder, "")
    assert documented.seeds_dir == empty.seeds_dir
    assert documented.baseline_rows == empty.baseline_rows
    for name in ("schema", "lock_timeout_s", "statement_timeout_s", "connect_timeout_s"):
        assert getattr(documented.database, name) == getattr(empty.database, name)
