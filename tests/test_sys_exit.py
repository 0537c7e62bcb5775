"""Code of seeds and plugins that ends the process, or hides its own failure: it never makes a command look well."""

import pytest

from tests.conftest import Folder, Install, ProjectFactory, Sql

CONFIG = '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-ext"]\n'
SEED = "from seedframe import Rows\ndef resources(): yield Rows('t', key='id', rows=[{'id': 1}])\n"
EXIT = "import sys\n"

IN_EXTENSIONS = {
    "reporters": "def seedframe_reporters():\n    sys.exit(0)\n    yield\n",
    "formats": "def seedframe_file_formats():\n    sys.exit(0)\n    yield\n",
    "commands": "def seedframe_commands():\n    sys.exit(0)\n    yield\n",
    "kinds": "from seedframe import Rows\nclass Kinds(dict):\n    def items(self): sys.exit(0)\n"
    "def seedframe_resource_kinds(): return Kinds(x=Rows)\n",
    "configure": "def seedframe_configure(): sys.exit(0)\n",
    "a module's names": "def __getattr__(name): sys.exit(0)\ndef seedframe_configure(): pass\n",
    "an exception": "class E(Exception):\n    def __str__(self): sys.exit(0)\ndef seedframe_configure(): raise E\n",
}
IN_SEEDS = {
    "environments": "class R:\n    @property\n    def environments(self): sys.exit(0)\n",
    "tables": "class R:\n    @property\n    def tables(self): sys.exit(0)\n",
    "describe": "class R:\n    def describe(self): sys.exit(0)\n",
    "name": "class R:\n    name = property(lambda self: sys.exit(0))\n",
    "diff": "class R:\n    def diff(self, db): sys.exit(0)\n",
    "an exception": "class E(Exception):\n    def __str__(self): sys.exit(0)\n"
    "class R:\n    def diff(self, db): raise E\n",
}
RESOURCE = (
    "import sys\nfrom seedframe import Changes\nclass Base:\n    name = 'thing:x'\n    tables = ()\n"
    "    def describe(self): return 'x'\n    def diff(self, db): return Changes.of([])\n"
    "    def write(self, db, changes): pass\n    def delete(self, db, changes): pass\n"
)


def _shows(folder: Folder, env: dict[str, str], commands: tuple[str, ...], code: set[int]) -> None:
    for command in commands:
        done = folder.run(*command.split(), env=env)
        assert done.returncode in code, (command, done)
        assert "ext.py" in done.stderr + done.stdout or "10_a.py" in done.stderr + done.stdout, (command, done)
        assert "a bug in seedframe" not in done.stderr, (command, done)


@pytest.mark.parametrize("where", IN_EXTENSIONS)
def test_sys_exit_in_an_extension_is_its_failure(
    where: str, project: ProjectFactory, install: Install, sql: Sql
) -> None:
    sql("create table t (id int primary key)")
    site = install("seedframe-ext", "1.0", {"ext": "ext"}, {"ext.py": EXIT + IN_EXTENSIONS[where]})
    folder = project({"seeds/10_a.py": SEED}, config=CONFIG)
    _shows(folder, {"PYTHONPATH": str(site)}, ("verify", "apply", "list"), {3})
    assert sql("select count(*) from t") == [(0,)]


@pytest.mark.parametrize("where", IN_SEEDS)
def test_sys_exit_in_a_seed_is_its_failure(where: str, project: ProjectFactory, sql: Sql) -> None:
    body = IN_SEEDS[where].replace("class R:", "class R(Base):")
    folder = project({"seeds/10_a.py": f"{RESOURCE}{body}def resources(): yield R()\n"})
    _shows(folder, {}, ("verify", "apply"), {1, 3})
    assert folder.run("verify").returncode == 3


@pytest.mark.parametrize(
    "hook", ["seedframe_configure(config)", "seedframe_modify_order(seeds)", "seedframe_run_finished(report)"]
)
def test_a_hook_of_which_nothing_would_run_is_a_mistake(hook: str, project: ProjectFactory, install: Install) -> None:
    site = install("seedframe-ext", "1.0", {"ext": "ext"}, {"ext.py": f"def {hook}:\n    yield\n    1 / 0\n"})
    done = project({"seeds/10_a.py": SEED}, config=CONFIG).run("verify", env={"PYTHONPATH": str(site)})
    assert done.returncode == 3
    name = hook.partition("(")[0]
    assert f"ext.py:1: plugin seedframe-ext 1.0, extension 'ext': '{name}' has a `yield`, so" in done.stderr


@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("seedframe_reporters(): yield 1 / 0", "`seedframe_reporters` failed: ZeroDivisionError"),
        ("seedframe_file_formats(): return [FileFormat(endings=5, read=print)]", "a file format has no endings"),
        ("seedframe_file_formats(): return [FileFormat(endings=(5,), read=print)]", "5 is no ending of files"),
        ("seedframe_file_formats(): return [FileFormat(endings=('.x',), read=5)]", "cannot be read"),
        ("seedframe_reporters(): return [Reporter('x', 5)]", "the reporter 'x' makes no document"),
    ],
)
def test_what_an_extension_adds_wrongly_is_its_failure(
    hook: str, told: str, project: ProjectFactory, install: Install
) -> None:
    text = f"from seedframe import FileFormat, Reporter\ndef {hook}\n"
    site = install("seedframe-ext", "1.0", {"ext": "ext"}, {"ext.py": text})
    done = project({"seeds/10_a.py": SEED}, config=CONFIG).run("verify", env={"PYTHONPATH": str(site)})
    assert done.returncode == 3
    assert "plugin seedframe-ext 1.0, extension 'ext'" in done.stderr
    assert told in done.stderr


def test_two_extensions_of_one_name_are_both_named(project: ProjectFactory, install: Install) -> None:
    configure = "def seedframe_configure(): pass\n"
    install("seedframe-ext", "1.0", {"ext": "ext"}, {"ext.py": configure})
    site = install("seedframe-more", "2.0", {"ext": "more"}, {"more.py": configure})
    config = CONFIG.replace('"]', '", "seedframe-more"]')
    done = project({"seeds/10_a.py": SEED}, config=config).run("verify", env={"PYTHONPATH": str(site)})
    assert done.returncode == 3
    assert (
        "plugin seedframe-more 2.0, extension 'ext': is one of two that are called 'ext': the other is of"
        in done.stderr
    )
    assert "seedframe-ext 1.0" in done.stderr
    assert "object at" not in done.stderr


def test_who_looks_on_changes_nothing(project: ProjectFactory, install: Install, sql: Sql) -> None:
    sql("create table t (id int primary key)")
    ext = (
        "def spoil(seed):\n    seed.config['id'] = 7\n    seed.config['more'].append(8)\n"
        "def seedframe_modify_order(seeds): spoil(seeds[0])\ndef seedframe_run_started(seeds): spoil(seeds[0])\n"
        "def seedframe_seed_started(seed): spoil(seed)\n"
    )
    seed = (
        "from seedframe import Option, Rows\nOPTIONS = [Option('id', int, default=1),"
        " Option('more', list[int], default=[2])]\n"
        "def resources(config):\n    config['more'].append(3)\n"
        "    yield Rows('t', key='id', rows=[{'id': id} for id in [config['id'], *config['more']]])\n"
    )
    site = install("seedframe-ext", "1.0", {"ext": "ext"}, {"ext.py": ext})
    folder = project({"seeds/10_a.py": seed}, config=CONFIG)
    for command in ("apply", "apply", "verify"):
        done = folder.run(command, env={"PYTHONPATH": str(site)})
        assert (done.returncode, "warning" in done.stderr) == (0, False), done
    assert sql("select id from t order by 1") == [(1,), (2,), (3,)]
