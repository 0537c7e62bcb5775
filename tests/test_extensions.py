"""Extensions: hooks of plugins that are no seeds, each tried through a command or a run."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe import Project
from seedframe.cli.main import main
from seedframe.plugins.extension_contract import EXTENSION_ARGUMENTS
from tests.conftest import Folder, Install, ProjectFactory, Result, Sql
from tests.running import apply, error, verify

CONFIG = '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-ext"]\n'
SEED = "from seedframe import Rows\ndef resources(): yield Rows('t', key='id', rows=[{'id': 1}])\n"
TABLE = "CREATE TABLE t (id int PRIMARY KEY)"


@pytest.fixture
def extension(install: Install) -> "Extension":
    return Extension(install)


class Extension:
    """An installed plugin with one extension, `ext`."""

    def __init__(self, install: Install) -> None:
        self._install = install
        self.site = Path()

    def __call__(self, text: str, name: str = "seedframe-ext", point: str = "ext") -> None:
        module = name.replace("-", "_")
        self.site = self._install(name, "1.0", {point: module}, {f"{module}.py": text})

    def run(self, folder: Folder, *arguments: str) -> Result:
        """A command in a process of its own, in which the plugin is installed."""
        return folder.run(*arguments, env={"PYTHONPATH": str(self.site)})


def problems(folder: Folder) -> list[str]:
    return [str(error) for error in Project.load(folder.path).problems]


# -------------------------------------------------------------------------
# The contract
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("def seedframe_reporter(): pass", "unknown hook 'seedframe_reporter' (did you mean 'seedframe_reporters'?)"),
        ("def seedframe_zebra(): pass", "unknown hook 'seedframe_zebra' (this version of seedframe has no such hook)"),
        (
            "def seedframe_configure(conf): pass",
            (
                "'seedframe_configure' asks for 'conf', which it cannot be given (did you mean 'config'? It may ask for"
                " config)"
            ),
        ),
        (
            "def seedframe_reporters(config): pass",
            "'seedframe_reporters' asks for 'config', which it cannot be given (it may ask for nothing)",
        ),
        ("async def seedframe_configure(config): pass", "'seedframe_configure' is async (a hook is a plain function: "),
        (
            "from seedframe import hookimpl\n@hookimpl\ndef resources(): pass",
            (
                "unknown hook 'resources' (that is a seed's hook: if this is a seed, call the entry point 10_ext"
                " (NN_name: a number, _ and a name of letters, digits and _))"
            ),
        ),
    ],
)
def test_a_hook_that_does_not_fit_is_told_at_registration(
    project: ProjectFactory, extension: Extension, text: str, problem: str
) -> None:
    extension(text + "\n")
    (found,) = problems(project({"seeds/10_a.py": SEED}, config=CONFIG))
    assert re.match(r"seedframe_ext.py(:\d)?: plugin seedframe-ext 1.0, extension 'ext': ", found)
    assert problem in found


def test_all_that_does_not_fit_is_told_at_once(project: ProjectFactory, extension: Extension) -> None:
    extension("def seedframe_configur(): pass\ndef seedframe_seed_started(sed): pass\n")
    done = extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), "apply")
    assert done.returncode == 3
    assert done.stderr.count("error:") == 2
    assert "did you mean 'seedframe_configure'?" in done.stderr
    assert "did you mean 'seed'?" in done.stderr


def test_an_object_can_be_an_extension(project: ProjectFactory, install: Install) -> None:
    text = (
        "from seedframe import hookimpl\nclass Plugin:\n    @hookimpl\n    def seedframe_configure(self, config):\n"
        "        raise ValueError(config.env)\nplugin = Plugin()\n"
    )
    install("seedframe-ext", "1.0", {"ext": "seedframe_ext:plugin"}, {"seedframe_ext.py": text})
    (problem,) = problems(project({"seeds/10_a.py": SEED}, config=CONFIG))
    assert problem == (
        "seedframe_ext.py:5: plugin seedframe-ext 1.0, extension 'ext': `seedframe_configure` failed: ValueError:"
        " development (run with -v for the traceback)"
    )


# -------------------------------------------------------------------------
# Configuration and order
# -------------------------------------------------------------------------


def test_configure_may_refuse_a_project_before_a_seed_is_imported(
    project: ProjectFactory, extension: Extension, tmp_path: Path
) -> None:
    extension(
        "from seedframe import SeedframeError\ndef seedframe_configure(config):\n"
        "    raise SeedframeError(f'{config.project} is closed', hint='come back')\n"
    )
    folder = project({"seeds/10_a.py": f"open({str(tmp_path / 'imported')!r}, 'w')\n" + SEED}, config=CONFIG)
    done = extension.run(folder, "apply")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == ("error: plugin seedframe-ext 1.0, extension 'ext': shop is closed\n hint: come back\n")


ORDER = {
    "seeds/10_a.py": SEED,
    "seeds/20_b.py": "def verify(): pass\n",
    "seeds/30_c.py": "REQUIRES = ['b']\ndef verify(): pass\n",
}


def order(folder: Folder) -> list[str]:
    return [seed.name for seed in Project.load(folder.path).seeds]


def test_the_order_can_be_changed(project: ProjectFactory, extension: Extension) -> None:
    extension("def seedframe_modify_order(seeds): seeds.sort(key=lambda seed: seed.name == 'a')\n")
    folder = project(ORDER, config=CONFIG)
    assert order(folder) == ["b", "c", "a"]
    assert problems(folder) == []


def test_an_order_against_the_requirements_is_refused(project: ProjectFactory, extension: Extension) -> None:
    extension("def seedframe_modify_order(seeds): seeds.reverse()\n")
    folder = project(ORDER, config=CONFIG)
    assert [str(seed.broken) for seed in Project.load(folder.path).seeds if seed.broken] == [
        (
            "seeds/30_c.py: seed 30_c requires 'b', which comes later (20_b)"
            " (an extension's `seedframe_modify_order` put it there)"
        )
    ]


def test_an_order_may_mend_a_requirement(project: ProjectFactory, extension: Extension) -> None:
    extension("def seedframe_modify_order(seeds): seeds.reverse()\n")
    folder = project({"seeds/10_a.py": "REQUIRES = ['b']\n" + SEED, "seeds/20_b.py": SEED}, config=CONFIG)
    assert [seed.broken for seed in Project.load(folder.path).seeds] == [None, None]


@pytest.mark.parametrize("text", ["seeds.pop()", "seeds.append(seeds[0])", "seeds[0] = seeds[1]"])
def test_an_order_keeps_its_seeds(project: ProjectFactory, extension: Extension, text: str) -> None:
    extension(f"def seedframe_modify_order(seeds): {text}\n")
    folder = project(ORDER, config=CONFIG)
    assert order(folder) == ["a", "b", "c"]
    assert "left other seeds than it was given" in problems(folder)[0]


# -------------------------------------------------------------------------
# What is added
# -------------------------------------------------------------------------

KIND = """
from seedframe import Change, Changes

class Flag:
    tables = ()

    def __init__(self, label):
        self.label = label

    @property
    def name(self):
        return f"flag:{self.label}"

    def describe(self):
        return f"flag {self.label}"

    def diff(self, db):
        found = db.scalar("select count(*) from t where id = 99")
        return Changes.of([] if found else [Change("create", {"flag": self.label})])

    def delete(self, db, changes):
        pass

    def write(self, db, changes):
        db.execute("insert into t values (99)")

def seedframe_resource_kinds():
    return {"flag": Flag}
"""


def test_a_kind_of_resource(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql(TABLE)
    extension(KIND)
    seed = (
        "WRITES = ['t']\ndef resources(kinds):\n"
        "    yield kinds.flag('open')\n    yield kinds.rows('t', key='id', rows=[])\n"
    )
    folder = project({"seeds/10_a.py": seed}, config=CONFIG)
    assert apply(folder).summary.create == 1
    assert verify(folder).exit_code == 0
    assert [outcome.resource for outcome in verify(folder).seeds[0].resources] == ["flag:open", "rows:t"]
    assert "- flag open" in extension.run(folder, "list").stdout


def test_a_kind_that_fails_is_told_as_its_plugins(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql(TABLE)
    extension(KIND.replace("found = db.scalar", "found = 1 / 0 or db.scalar"))
    folder = project({"seeds/10_a.py": "def resources(kinds): yield kinds.flag('open')\n"}, config=CONFIG)
    assert error(apply(folder)) == (
        "hook_failed: seedframe_ext.py:18: `flag:open: diff` of seed 10_a failed: in plugin seedframe-ext 1.0,"
        " extension 'ext': ZeroDivisionError: division by zero (run with -v for the traceback)"
    )


def test_a_resource_that_lacks_something_is_told_what(project: ProjectFactory, extension: Extension) -> None:
    extension(KIND.replace("tables = ()", "").replace("def name(self)", "def title(self)"))
    folder = project({"seeds/10_a.py": "def resources(kinds): yield kinds.flag('open')\n"}, config=CONFIG)
    assert error(apply(folder)) == (
        "hook_failed: seeds/10_a.py:1: `resources` of seed 10_a returned Flag, which lacks name, tables"
        " (a resource has name, tables, describe, diff, delete, write)"
    )


def test_what_an_extension_adds_is_shown(project: ProjectFactory, extension: Extension) -> None:
    extension(KIND + COMMAND)
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    assert "      adds command greet, resource kind flag\n" in extension.run(folder, "plugins").stdout
    (plugin,) = json.loads(extension.run(folder, "plugins", "--format", "json").stdout)["plugins"]
    assert plugin["entry_points"][0]["adds"] == {"command": ["greet"], "resource kind": ["flag"]}


def test_an_import_that_fails_names_the_plugin_and_the_line(project: ProjectFactory, extension: Extension) -> None:
    extension("import sys\n1 / 0\n")
    (problem,) = problems(project({"seeds/10_a.py": SEED}, config=CONFIG))
    assert problem.endswith(
        "seedframe_ext.py:2: plugin seedframe-ext 1.0 cannot be imported: ZeroDivisionError: division by zero"
        " (run with -v for the traceback)"
    )


def test_a_kind_that_nobody_adds(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_a.py": "def resources(kinds): yield kinds.row('t')\n"})
    assert "no kind of resource is called 'row' (did you mean 'rows'?)" in error(apply(folder))


def test_a_file_format(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY, name text)")
    extension(
        "from seedframe import FileFormat\n"
        "def read(file, how):\n"
        "    with file.open() as lines:\n"
        "        for number, line in enumerate(lines, 1):\n"
        "            id, name = line.rstrip('\\n').split('|')\n"
        "            yield number, {'id': id, 'name': name}\n"
        "def seedframe_file_formats(): return FileFormat(endings=('.pipe',), read=read)\n"
    )
    seed = "from seedframe import Rows\ndef resources(): yield Rows('t', key='id', file='data.pipe.gz')\n"
    folder = project({"seeds/10_a.py": seed}, config=CONFIG)
    import gzip

    (folder.path / "seeds/data.pipe.gz").write_bytes(gzip.compress(b"1|one\n2|two\n"))
    assert apply(folder).exit_code == 0
    assert sql("SELECT * FROM t ORDER BY id") == [(1, "one"), (2, "two")]
    (folder.path / "seeds/data.pipe.gz").write_bytes(gzip.compress(b"1|one\nx|two\n"))
    assert "data.pipe.gz:2" in error(apply(folder))


READERS = """
from seedframe import FileFormat, SeedframeError

def raises(file, how):
    yield 3, {"id": "1"}
    raise ValueError("no = in it")

def slips(file, how):
    return [].pop()

def says(file, how):
    yield 3, {"id": "1"}
    raise SeedframeError("no = in it", hint="write NAME = VALUE", where=file.place(4))

def says_no_line(file, how):
    raise SeedframeError("no = in it")

def reports(file, how):
    how.report(SeedframeError("no = in it"))
    yield 3, {"id": "1"}

def whole(file, how):
    return {"id": "1"}

def no_line(file, how):
    yield 3, {"id": "1"}
    yield {"id": "2"}

def texts(file, how):
    yield "3", {"id": "1"}

def columns(file, how):
    yield 3, ["1"]

def names(file, how):
    yield 3, {1: "1"}

def nothing(file, how):
    yield 3, {}

def seedframe_file_formats():
    readers = (raises, slips, says, says_no_line, reports, whole, no_line, texts, columns, names, nothing)
    return [FileFormat(endings=("." + read.__name__,), read=read) for read in readers]
"""
WHO = "plugin seedframe-ext 1.0, extension 'ext': the reader of the file "
SHAPE = 'yield the number of the line and the fields by name: yield 7, {"code": "A"}'
TRACEBACK = "run with -v for the traceback"
READ_WRONG = {
    "raises": ("", f"{WHO}failed after line 3 (seedframe_ext.py:6): no = in it", TRACEBACK),
    "slips": ("", f"{WHO}failed (seedframe_ext.py:9): IndexError: pop from empty list", TRACEBACK),
    "says": (":4", "no = in it", "write NAME = VALUE"),
    "says_no_line": ("", "no = in it", None),
    "reports": ("", "no = in it", None),
    "whole": ("", f"{WHO}returned dict, and no rows", SHAPE),
    "no_line": ("", f"{WHO}yielded a dict as row 2, after line 3", SHAPE),
    "texts": ("", f"{WHO}yielded a str for the number of the line as row 1", SHAPE),
    "columns": ("", f"{WHO}yielded a list for the fields as row 1", SHAPE),
    "names": ("", f"{WHO}yielded an int for the name of a field as row 1", SHAPE),
    "nothing": ("", f"{WHO}yielded no fields as row 1", SHAPE),
}


def test_what_a_reader_gets_wrong_names_the_file_and_the_plugin(
    project: ProjectFactory, extension: Extension, sql: Sql
) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY)")
    extension(READERS)
    files = {f"seeds/data.{name}": "x\n" for name in READ_WRONG}
    for number, name in enumerate(READ_WRONG, 10):
        rows = f"Rows('t', key='id', file='data.{name}')"
        files[f"seeds/{number}_{name}.py"] = f"from seedframe import Rows\ndef resources(): yield {rows}\n"
    folder = project(files, config=CONFIG)
    found = {seed.seed: seed.error for seed in apply(folder, keep_going=True).seeds}
    for number, (name, (line, message, hint)) in enumerate(READ_WRONG.items(), 10):
        problem = found[f"{number}_{name}"]
        assert problem is not None
        assert (problem.where, problem.message, problem.hint) == (f"seeds/data.{name}{line}", message, hint)
    linted = json.loads(extension.run(folder, "lint", "--format", "json").stdout)
    places = {(each["path"], each["line"], each["message"]) for each in linted["findings"]}
    for name, (line, message, _) in READ_WRONG.items():
        assert (f"seeds/data.{name}", int(line.lstrip(":") or 1), message) in places


def test_a_token_for_null_is_for_formats_that_heed_one(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY, name text)")
    extension(
        "from seedframe import FileFormat\n"
        "def read(file, how): yield 1, {'id': 1, 'name': None if how.null == 'NA' else 'x'}\n"
        "def seedframe_file_formats():\n"
        "    return [FileFormat(endings=('.a',), read=read, null_token=True), FileFormat(endings=('.b',), read=read)]\n"
    )
    seed = "from seedframe import Rows\ndef resources(): yield Rows('t', key='id', file='data.{}', null='NA')\n"
    files = {
        "seeds/10_a.py": seed.format("a"),
        "seeds/20_b.py": seed.format("b"),
        "seeds/data.a": "",
        "seeds/data.b": "",
    }
    _, refused = apply(project(files, config=CONFIG)).seeds
    assert sql("SELECT * FROM t") == [(1, None)]
    assert refused.error is not None
    assert refused.error.message == "null= says nothing of file 'data.b'"
    assert refused.error.hint == "null= is for .csv, .tsv, .a, whose fields are texts; the other formats have a null"


ACCOUNTS = (
    "from seedframe import Account, Accounts, LocalAccounts\n"
    "def resources(): yield Account(Accounts(LocalAccounts('users')), email='a@b.example', role='admin')\n"
)


def test_an_account_backend_is_chosen_by_its_name(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql(
        "CREATE TABLE users (email text UNIQUE, password_hash text, first_name text, last_name text, role text,"
        " is_active boolean DEFAULT true)"
    )
    extension(
        "class Backend:\n"
        "    def __init__(self, accounts): self.accounts = accounts\n"
        "    tables = ('users',)\n"
        "    def describe(self): return 'our directory'\n"
        "    def keep(self, db): return self.accounts.local.keep(db)\n"
        "def seedframe_account_backends(): return {'directory': Backend}\n"
    )
    folder = project({"seeds/10_a.py": ACCOUNTS}, config=CONFIG + '[accounts]\nbackend = "directory"\n')
    report = apply(folder)
    assert report.exit_code == 0, report.seeds[0]
    assert 'accounts are kept in our directory: [accounts] backend = "directory"' in [
        finding.text for finding in report.seeds[0].findings
    ]
    assert sql("SELECT email FROM users") == [("a@b.example",)]


def test_an_unknown_account_backend_is_told(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": SEED}, config='[accounts]\nbackend = "lokal"\n')
    done = folder.run("apply")
    assert (done.returncode, done.stderr) == (
        3,
        (
            "error: seedframe.toml [accounts] backend: no account backend is called 'lokal'\n"
            " hint: did you mean 'local'?\n"
        ),
    )


def test_a_reporter(project: ProjectFactory, extension: Extension, sql: Sql, tmp_path: Path) -> None:
    sql(TABLE)
    extension(
        "from seedframe import Reporter\n"
        "def document(report, page):\n"
        "    print('a stray word')\n    return f'{report.status} {report.summary.create}\\n'\n"
        "def seedframe_reporters(): return [Reporter('short', document)]\n"
    )
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    done = extension.run(folder, "apply", "--format", "short")
    assert (done.returncode, done.stdout, done.stderr) == (0, "changed 1\n", "a stray word\n")
    done = extension.run(folder, "verify", "--format", "short", "--output", str(tmp_path / "out"))
    assert (done.returncode, (tmp_path / "out").read_text()) == (0, "in_sync 0\n")
    wrong = extension.run(folder, "verify", "--format", "shrt")
    assert (wrong.returncode, wrong.stderr) == (
        3,
        "error: --format: no format is called 'shrt'\n hint: did you mean 'short'?\n",
    )


@pytest.mark.parametrize(
    ("document", "what"),
    [("1 / 0", "failed: ZeroDivisionError: division by zero"), ("None", "returned NoneType, not a text")],
)
def test_a_reporter_that_fails(
    project: ProjectFactory, extension: Extension, sql: Sql, document: str, what: str
) -> None:
    sql(TABLE)
    extension(
        "from seedframe import Reporter\n"
        f"def seedframe_reporters(): return [Reporter('x', lambda report, page: {document})]\n"
    )
    done = extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), "apply", "--format", "x")
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].endswith(
        f"the report could not be written: plugin seedframe-ext 1.0, extension 'ext': reporter 'x' {what}"
    )
    assert ("error: seedframe_ext.py:2: " in done.stderr) == ("/" in document)
    assert "the run itself was done: exit code 0 otherwise" in done.stderr
    assert sql("SELECT count(*) FROM t") == [(1,)]


COMMAND = """
import click

@click.command("greet", help="Say hello.")
@click.argument("name")
def greet(name):
    if name == "nobody":
        from seedframe import SeedframeError
        raise SeedframeError("there is nobody", hint="name somebody")
    if name == "zero":
        1 / 0
    click.echo(f"hello {name}")
    return 7

def seedframe_configure(config):
    print("configured")

def seedframe_commands():
    return [greet]
"""


def test_a_command(project: ProjectFactory, extension: Extension) -> None:
    extension(COMMAND)
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    done = extension.run(folder, "greet", "you")
    assert (done.returncode, done.stdout, done.stderr) == (7, "hello you\n", "configured\n")
    assert "Say hello." in extension.run(folder, "greet", "--help").stdout
    failed = extension.run(folder, "greet", "nobody")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr.endswith("error: there is nobody\n hint: name somebody\n")
    bug = extension.run(folder, "greet", "zero")
    assert bug.returncode == 3
    assert bug.stderr.endswith(
        "error: seedframe_ext.py:11: plugin seedframe-ext 1.0, extension 'ext': the command 'greet' failed:"
        " ZeroDivisionError: division by zero\n"
        " hint: report it, with the traceback that -v shows, to the author of the plugin\n"
    )
    assert "did you mean 'greet'?" in extension.run(folder, "gret").stderr
    left_out = extension.run(folder, "-p", "no:ext", "greet", "you")
    assert (left_out.returncode, left_out.stdout) == (3, "")
    assert "no command 'greet'" in left_out.stderr


WHERE = """
import click

@click.command("where", help="Where we are.")
@click.pass_obj
def where(context):
    project = context.project()
    click.echo(f"{context.env} {project.config.project} {len(project.seeds)}")

@click.command("blind")
@click.option("--env", default="mine")
def blind(env):
    click.echo(env)

def seedframe_commands():
    return [where, blind]
"""


@pytest.mark.parametrize(
    "arguments",
    [("--env", "production", "where"), ("where", "--env", "production"), ("--env=x", "where", "--env=production")],
)
def test_a_command_asks_what_the_command_line_says(
    project: ProjectFactory, extension: Extension, arguments: tuple[str, ...]
) -> None:
    extension(WHERE)
    done = extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (0, "production shop 1\n", "")


GROUP = """
import click

@click.group("stock", help="The stock.")
def stock():
    pass

@stock.group("of")
def of():
    pass

@of.command("shop")
@click.pass_obj
def shop(context):
    click.echo(context.env)

def seedframe_commands():
    return [stock]
"""


def test_a_group_of_commands(project: ProjectFactory, extension: Extension) -> None:
    extension(GROUP)
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    for arguments in (("stock", "of", "shop", "--env", "production"), ("stock", "--env=production", "of", "shop")):
        done = extension.run(folder, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "production\n", "")
    without = extension.run(folder, "stock")
    assert without.returncode in (0, 3)  # as click has it, whose version decides
    told = without.stdout + without.stderr
    assert told.startswith("Usage: seedframe stock [OPTIONS] COMMAND [ARGS]...\n\n  The stock.\n")
    assert "error:" not in told


def test_a_command_is_of_the_project_that_config_names(project: ProjectFactory, extension: Extension) -> None:
    extension(WHERE)
    folder = project({"seeds/10_a.py": SEED, "seeds/20_b.py": SEED}, config=CONFIG)
    folder.write({"other/seedframe.toml": CONFIG, "other/seeds/10_a.py": SEED})
    other = extension.run(folder, "--config", "other/seedframe.toml", "where")
    assert (other.stdout, other.stderr) == ("development shop 1\n", "")
    assert extension.run(folder, "where").stdout == "development shop 2\n"
    assert "--trace-hooks" in extension.run(folder, "where", "--help").stdout


def test_a_command_that_does_not_ask_is_warned_of(project: ProjectFactory, extension: Extension) -> None:
    extension(WHERE)
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    assert extension.run(folder, "blind").stderr == ""
    own = extension.run(folder, "blind", "--env", "theirs", "-p", "no:other")
    assert (own.returncode, own.stdout) == (0, "theirs\n")
    who = "warning: the command 'blind' of plugin seedframe-ext 1.0, extension 'ext' has not looked at"
    assert f"{who} -p\n" in own.stderr
    assert f"{who} --env, -p\n" in extension.run(folder, "--env", "production", "-p", "no:other", "blind").stderr


def test_a_built_in_command_is_not_replaced(project: ProjectFactory, extension: Extension) -> None:
    extension("import click\ndef seedframe_commands(): return [click.Command('list')]\n")
    done = extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), "list")
    assert done.returncode == 3
    assert (
        "two commands are called 'list': of seedframe itself and of plugin seedframe-ext 1.0, extension" in done.stderr
    )


@pytest.mark.parametrize(
    ("hook", "value", "message"),
    [
        (
            "seedframe_commands",
            "[click.Command('apply')]",
            "two commands are called 'apply': of seedframe itself and of",
        ),
        ("seedframe_commands", "['apply']", "`seedframe_commands` returned str, not Command"),
        ("seedframe_reporters", "[Reporter('json', print)]", "two reporters are called 'json'"),
        ("seedframe_reporters", "{'x': 1}", "`seedframe_reporters` returned dict, not Reporter"),
        ("seedframe_file_formats", "FileFormat(endings=('.CSV',), read=print)", "'.CSV' is no ending of files"),
        ("seedframe_file_formats", "FileFormat(endings=('.csv',), read=print)", "two file formats are called '.csv'"),
        ("seedframe_account_backends", "{'local': print}", "two account backends are called 'local'"),
        ("seedframe_account_backends", "{'auto': print}", "the account backend 'auto' cannot be made"),
        ("seedframe_account_backends", "[print]", "`seedframe_account_backends` returned list"),
        ("seedframe_resource_kinds", "{'rows': Rows}", "two resource kinds are called 'rows'"),
        ("seedframe_resource_kinds", "{'thing': object}", "the kind 'thing' lacks describe, diff, delete, write"),
        ("seedframe_resource_kinds", "1 / 0", "`seedframe_resource_kinds` failed: ZeroDivisionError"),
        ("seedframe_reporters", "sys.exit()", "`seedframe_reporters` called sys.exit()"),
    ],
)
def test_what_cannot_be_added_is_refused_and_its_plugin_named(
    project: ProjectFactory, extension: Extension, hook: str, value: str, message: str
) -> None:
    extension(f"import sys, click\nfrom seedframe import FileFormat, Reporter, Rows\ndef {hook}(): return {value}\n")
    done = extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), "other" if "command" in hook else "verify")
    assert done.returncode == 3, done
    assert message in done.stderr
    assert "plugin seedframe-ext 1.0, extension 'ext'" in done.stderr
    assert "Traceback" not in done.stderr


# -------------------------------------------------------------------------
# Watching
# -------------------------------------------------------------------------

WATCHER = """
import json
def note(*words):
    with open(LOG, "a") as log:
        print(json.dumps(words), file=log)

def seedframe_run_started(seeds, mode, env): note("run_started", [seed.label for seed in seeds], mode, env)
def seedframe_run_finished(report): note("run_finished", report.status, report.exit_code)
def seedframe_seed_started(seed): note("seed_started", seed.label)
def seedframe_seed_finished(seed, outcome): note("seed_finished", seed.label, outcome.status)
def seedframe_resource_started(seed, resource): note("resource_started", seed.label, resource)
def seedframe_resource_finished(seed, outcome):
    note("resource_finished", seed.label, outcome.resource, outcome.changes.counts.create)
"""


def told(log: Path) -> list[list[object]]:
    found = [json.loads(line) for line in log.read_text().splitlines()]
    log.unlink()
    return found


def test_a_run_is_watched(project: ProjectFactory, extension: Extension, sql: Sql, tmp_path: Path) -> None:
    sql(TABLE)
    log = tmp_path / "log"
    extension(f"LOG = {str(log)!r}\n" + WATCHER)
    failing = "CRITICAL = False\ndef verify(): yield 'never true'\n"
    folder = project({"seeds/10_a.py": SEED, "seeds/20_b.py": failing}, config=CONFIG)
    apply(folder, env="test")
    assert told(log) == [
        ["run_started", ["10_a", "20_b"], "apply", "test"],
        ["seed_started", "10_a"],
        ["resource_started", "10_a", "rows:t"],
        ["resource_finished", "10_a", "rows:t", 1],
        ["seed_finished", "10_a", "changed"],
        ["seed_started", "20_b"],
        ["seed_finished", "20_b", "failed"],
        ["run_finished", "failed", 0],
    ]
    verify(folder, "a", env="test")
    assert [line[0] for line in told(log)] == [
        "run_started",
        "seed_started",
        "resource_started",
        "resource_finished",
        "seed_finished",
        "run_finished",
    ]


def test_who_watches_decides_nothing(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql(TABLE)
    hooks = [name for name in EXTENSION_ARGUMENTS if name.startswith(("seedframe_run", "seedframe_seed_"))]
    hooks += ["seedframe_resource_started", "seedframe_resource_finished"]
    extension("".join(f"def {hook}(): raise SystemExit(9)\n" for hook in hooks))
    folder = project({"seeds/10_a.py": SEED, "seeds/20_b.py": SEED.replace("1}", "2}")}, config=CONFIG)
    done = extension.run(folder, "apply")
    assert done.returncode == 0, done
    assert sql("SELECT id FROM t") == [(1,), (2,)]
    for hook in hooks:
        assert done.stderr.count(f"`{hook}` called sys.exit()") == 1, done.stderr
    assert "plugin seedframe-ext 1.0, extension 'ext'" in done.stderr


# -------------------------------------------------------------------------
# --trace-hooks
# -------------------------------------------------------------------------


def test_calls_of_hooks_are_shown_with_their_times(project: ProjectFactory, extension: Extension, sql: Sql) -> None:
    sql(TABLE)
    extension("def seedframe_configure(config): pass\ndef seedframe_seed_started(seed): pass\n")
    folder = project({"seeds/10_a.py": SEED + "def verify(db): pass\n"}, config=CONFIG)
    for arguments in (("apply", "--trace-hooks"), ("--trace-hooks", "apply")):
        done = extension.run(folder, *arguments)
        assert done.returncode == 0, done
        shown = [line.split() for line in done.stderr.splitlines()]
        assert [(word, hook, *who) for word, _, _, hook, *who in shown] == [
            ("hook", "seedframe_configure", "extension", "ext"),
            ("hook", "seedframe_seed_started", "extension", "ext"),
            ("hook", "resources", "seed", "a"),
            ("hook", "verify", "seed", "a"),
        ]
        assert all(float(took) >= 0 and unit == "ms" for _, took, unit, *_ in shown)


names = st.sampled_from(["a", "b", "c", "d"])


@given(st.permutations(["a", "b", "c", "d"]), st.dictionaries(names, st.sets(names, max_size=2)))
def test_every_order_is_kept_or_said_to_break_a_requirement(
    wanted: list[str], requires: Mapping[str, set[str]]
) -> None:
    from seedframe.ordering import with_requirements
    from seedframe.seed import Seed

    seeds = [
        Seed(
            name=name,
            number=number,
            label=f"{number}_{name}",
            origin=f"seeds/{number}_{name}.py",
            plugin=None,
            files=None,
            requires=tuple(sorted(requires.get(name, ()))),
        )
        for number, name in enumerate(["a", "b", "c", "d"])
    ]
    order = with_requirements(sorted(seeds, key=lambda seed: wanted.index(seed.name)))
    assert [seed.name for seed in order] == wanted
    for seed in order:
        fits = all(wanted.index(other) < wanted.index(seed.name) for other in seed.requires)
        circles = seed.broken is not None and "requires itself" in str(seed.broken)
        assert (seed.broken is None) == fits or (circles and seed.requires)


# -------------------------------------------------------------------------
# What libraries raise that is no Exception
# -------------------------------------------------------------------------

ODD = "class Odd(BaseException): pass\n"


@pytest.mark.parametrize("hook", ["resources", "verify"])
def test_whatever_a_seed_raises_is_its_failure(project: ProjectFactory, sql: Sql, hook: str) -> None:
    sql(TABLE)
    folder = project({"seeds/10_a.py": f"{ODD}def {hook}(): raise Odd('a cancelled task')\n"})
    done = folder.run("apply", "--format", "json")
    assert done.returncode == 1, done
    problem = json.loads(done.stdout)["seeds"][0]["error"]
    assert problem["message"] == f"`{hook}` of seed 10_a failed: Odd: a cancelled task"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        ("def seedframe_seed_started(seed): raise Odd()", ("apply",), 0),
        ("def seedframe_configure(config): raise Odd()", ("apply",), 3),
        (
            "import click\n@click.command('odd')\ndef odd(): raise Odd()\ndef seedframe_commands(): return [odd]",
            ("odd",),
            3,
        ),
        (
            (
                "from seedframe import Reporter\ndef document(report, page): raise Odd()\n"
                "def seedframe_reporters(): return Reporter('odd', document)"
            ),
            ("apply", "--format", "odd"),
            3,
        ),
    ],
)
def test_whatever_an_extension_raises_is_one_line(
    project: ProjectFactory, extension: Extension, sql: Sql, text: str, arguments: tuple[str, ...], code: int
) -> None:
    sql(TABLE)
    extension(f"{ODD}{text}\n")
    done = extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), *arguments)
    assert done.returncode == code, done
    assert "Odd" in done.stderr
    assert "plugin seedframe-ext 1.0, extension 'ext'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plugins_command_may_end_with_sys_exit(project: ProjectFactory, extension: Extension) -> None:
    extension(
        "import sys, click\n@click.command('bye')\ndef bye(): sys.exit(5)\ndef seedframe_commands(): return [bye]\n"
    )
    assert extension.run(project({"seeds/10_a.py": SEED}, config=CONFIG), "bye").returncode == 5


def test_a_hook_that_is_no_function_is_told(project: ProjectFactory, extension: Extension) -> None:
    extension("from functools import cache\n@cache\ndef seedframe_configure(config): pass\n")
    found = problems(project({"seeds/10_a.py": SEED}, config=CONFIG))
    assert any("'seedframe_configure' is a _lru_cache_wrapper, and a hook is a function" in each for each in found)


def test_a_slip_in_what_is_to_be_left_out_is_told(project: ProjectFactory, extension: Extension) -> None:
    extension("def seedframe_configure(config): pass\n")
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    slip = extension.run(folder, "list", "-p", "no:seedframe-etx")
    assert (slip.returncode, slip.stderr) == (
        3,
        "error: -p no:seedframe-etx: no plugin is called 'seedframe-etx'\n hint: did you mean 'seedframe-ext'?\n",
    )


@pytest.mark.parametrize("config", [CONFIG, CONFIG.partition("[plugins]")[0]])
@pytest.mark.parametrize("word", ["seedframe-exams", "something-else"])
def test_what_is_left_out_and_not_installed_is_a_warning(
    word: str, config: str, project: ProjectFactory, extension: Extension
) -> None:
    """A script may leave out what is not installed everywhere; that it begins as all plugins do makes it no slip."""
    extension("def seedframe_configure(config): pass\n")
    folder = project({"seeds/10_a.py": SEED}, config=config)
    done = extension.run(folder, "list", "-p", f"no:{word}", "--format", "json")
    assert (done.returncode, len(json.loads(done.stdout)["seeds"])) == (0, 1)
    assert re.fullmatch(
        rf"[0-9:]+ warning  -p no:{word} leaves nothing out: no installed plugin, and nothing in one, has that name;"
        r" seedframe plugins lists them\n",
        done.stderr,
    )
    assert extension.run(folder, "list", "-q", "-p", f"no:{word}").stderr == ""
    for known in ("seedframe-ext", "Seedframe_Ext", "ext"):
        assert extension.run(folder, "list", "-p", f"no:{known}").stderr == ""


def test_two_entry_points_of_one_module_are_told(project: ProjectFactory, install: Install) -> None:
    text = "WRITES = []\ndef verify(): pass\ndef seedframe_configure(): pass\n"
    points = {"40_a": "seedframe_ext", "50_b": "seedframe_ext", "one": "seedframe_two", "two": "seedframe_two"}
    files = {"seedframe_ext.py": text, "seedframe_two.py": "def seedframe_configure(): pass\n"}
    install("seedframe-ext", "1.0", points, files)
    loaded = Project.load(project(config=CONFIG).path)
    assert [str(seed.broken) for seed in loaded.seeds if seed.broken] == [
        "seedframe-ext 1.0: is what seed a is, too (give each entry point a module of its own)"
    ]
    assert [problem.message for problem in loaded.problems] == [
        "plugin seedframe-ext 1.0, extension 'two': is what extension one is, too"
    ]


@pytest.mark.parametrize(
    "text",
    ["def seedframe_configure(config): raise ValueError('no')", "def seedframe_resource_kinds(): return {'rows': int}"],
)
def test_plugins_tells_what_every_other_command_would(project: ProjectFactory, extension: Extension, text: str) -> None:
    extension(text + "\n")
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    done = extension.run(folder, "plugins", "--format", "json")
    assert done.returncode == 3
    assert done.stderr.count("error:") == 1
    assert "extension 'ext'" in done.stderr
    json.loads(done.stdout)


def test_of_two_extensions_in_one_package_the_right_one_is_named(project: ProjectFactory, install: Install) -> None:
    files = {
        "pack/__init__.py": "",
        "pack/first.py": "def seedframe_configure(config): pass\n",
        "pack/second.py": (
            "import click\nfrom pack.helper import fail\nfrom seedframe import SeedframeError\n"
            "@click.command()\ndef broken(): fail()\ndef seedframe_commands(): return [broken]\n"
        ),
        "pack/helper.py": "def fail(): 1 / 0\n",
    }
    site = install("seedframe-ext", "1.0", {"first": "pack.first", "second": "pack.second"}, files)
    done = project({"seeds/10_a.py": SEED}, config=CONFIG).run("broken", env={"PYTHONPATH": str(site)})
    assert done.stderr.startswith(
        "error: pack/helper.py:1: plugin seedframe-ext 1.0, extension 'second': the command 'broken' failed: Zero"
    )


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ("return None", 0),
        ("return 255", 255),
        ("sys.exit()", 0),
        ("sys.exit(255)", 255),
        ("sys.exit('it failed')", 1),
        ("click.get_current_context().exit(4)", 4),
        ("return 256", "256"),
        ("return -1", "-1"),
        ("return True", "True"),
        ("return 'error'", "a str"),
        ("return 1.0", "a float"),
        ("sys.exit(256)", "256"),
        ("click.get_current_context().exit(256)", "256"),
    ],
)
def test_what_a_command_ends_with_is_an_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    extension: Extension,
    ends: str,
    told: int | str,
) -> None:
    extension(
        f"import click, sys\n@click.command('bye')\ndef bye():\n    {ends}\ndef seedframe_commands(): return [bye]\n"
    )
    (tmp_path / "seedframe.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    code, printed = main(["bye"]), capsys.readouterr().err
    if isinstance(told, int):
        assert (code, printed) == (told, "it failed\n" if "failed" in ends else "")
        return
    message = f"the command 'bye' returned {told}, which is no exit code"
    hint = " hint: return None or an int from 0 to 255\n"
    assert (code, printed) == (3, f"error: plugin seedframe-ext 1.0, extension 'ext': {message}\n{hint}")


@pytest.mark.parametrize(("code", "ends"), [("5", 5), ("'no such place'", 1), ("256", 3)])
def test_so_is_what_it_ends_with_while_its_options_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: Extension, code: str, ends: int
) -> None:
    extension(
        f"import click, sys\n@click.command('bye')\n@click.option('--at', callback=lambda *given: sys.exit({code}))\n"
        "def bye(at): pass\ndef seedframe_commands(): return [bye]\n"
    )
    (tmp_path / "seedframe.toml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    assert main(["bye", "--at", "x"]) == ends
