"""Fixtures for all tests: a real PostgreSQL, a fresh database, a project's folder, and the command line."""

import base64
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql as compose
from psycopg.conninfo import conninfo_to_dict

from tests import alone, figures
from tests.auth_server import AuthServer
from tests.pgbouncer import NoPooler, Pooler, pooling, program
from tests.required import missing
from tests.servers import SUPERUSER, NoServer, Server, find_bindir, major_version, running, unprivileged

# How fast the machine is decides nothing.
settings.register_profile("seedframe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("seedframe")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `--torture N`."""
    figures.add_options(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Time for tests of many rounds."""
    figures.give_time(config, items)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures of tests that make many rounds, passed or not."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = figures.lines(reports)
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> figures.Figures:
    """`tell("100 kills, 0 violations")`: shown at the end of the test run."""
    return figures.recorder(request.node)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """`rounds(100)`: how many kills, cuts or rounds a test is to make that usually makes 100; --torture scales it."""
    return lambda usual: figures.rounds(request.config, usual)


def pytest_report_header() -> str:
    """Which server the tests run on."""
    try:
        bindir = find_bindir()
    except NoServer as error:
        return f"PostgreSQL: {error}"
    return f"PostgreSQL {major_version(bindir)}: {bindir}"


_OUTSIDE = ("PG", "DATABASE_URL", "SEED", "SUPABASE")
_numbers = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of this session (of this worker, under pytest-xdist)."""
    missing = ""
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(running(find_bindir()))
        except NoServer as error:
            missing = str(error)
        if missing:
            pytest.fail(missing, pytrace=False)
        yield started


@pytest.fixture(scope="session")
def pooler(server: Server) -> Iterator[Pooler]:
    """A PgBouncer in transaction mode before `server`, with four connections to each database."""
    binary = program()
    if binary is None:
        missing("pgbouncer", "no PgBouncer to test with: apt-get install pgbouncer")
    with contextlib.ExitStack() as stack:
        try:
            started = stack.enter_context(pooling(binary, server, pool_size=4))
        except NoPooler as error:
            pytest.fail(str(error), pytrace=False)
        yield started


@pytest.fixture
def pooled(database: str, pooler: Pooler) -> str:
    """The URL of `database` through PgBouncer."""
    return pooler.url(str(conninfo_to_dict(database)["dbname"]))


@pytest.fixture(scope="session")
def _maintenance(server: Server) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def data_dir() -> Iterator[Path]:
    """Where embedded databases go whose project (below pytest's private folders) the server's account cannot reach."""
    folder = Path(tempfile.mkdtemp(prefix="sf-data-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, data_dir: Path) -> None:
    """Nothing of the developer's own databases and seeds reaches a test, and nothing of a test stays on the machine.

    What is installed beside seedframe is hidden: a test sees the plugins that it installs itself.
    """
    for name in os.environ:
        if name.startswith(_OUTSIDE) and not name.startswith("SEEDFRAME_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SEEDFRAME_DATA_DIR", str(data_dir))
    monkeypatch.setenv("XDG_CACHE_HOME", str(data_dir / "cache"))
    alone.hide(monkeypatch)


@pytest.fixture
def database(server: Server, _maintenance: psycopg.Connection[Any]) -> Iterator[str]:
    """A fresh, empty database; its URL."""
    name = f"t{next(_numbers)}"
    _maintenance.execute(compose.SQL("CREATE DATABASE {}").format(compose.Identifier(name)))
    yield server.url(name)
    _maintenance.execute(compose.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(compose.Identifier(name)))


@pytest.fixture
def auth_server(database: str) -> Iterator[AuthServer]:
    """A contract replay of Supabase Auth, its users in `database`."""
    with AuthServer(database) as started:
        yield started


class Connect(Protocol):
    """Opens a connection to the test's database that is closed when the test ends."""

    def __call__(self, *, user: str = SUPERUSER, autocommit: bool = True) -> psycopg.Connection[Any]: ...


@pytest.fixture
def connect(database: str) -> Iterator[Connect]:
    """More connections to `database`: `connect(user="reader", autocommit=False)`."""
    with contextlib.ExitStack() as stack:

        def connect(*, user: str = SUPERUSER, autocommit: bool = True) -> psycopg.Connection[Any]:
            return stack.enter_context(
                contextlib.closing(psycopg.connect(database, user=user, autocommit=autocommit)),
            )

        yield connect


class Sql(Protocol):
    """Runs SQL as superuser, each call in its own transaction; the rows, or [] where there are none."""

    def __call__(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> list[tuple[Any, ...]]: ...


@pytest.fixture
def sql(connect: Connect) -> Sql:
    """SQL in `database`: `sql("select count(*) from t")` is `[(3,)]`. Several statements are fine without params."""
    connection = connect()

    def sql(query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        cursor = connection.execute(query.encode(), params)
        return cursor.fetchall() if cursor.description is not None else []

    return sql


@pytest.fixture
def case_blind(sql: Sql) -> str:
    """The name of a collation for which "A" and "a" are equal; only a server with ICU has such."""
    try:
        sql("create collation blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    except psycopg.errors.FeatureNotSupported:
        pytest.skip("this server was built without ICU, and only ICU has collations that are not deterministic")
    return "blind"


@pytest.fixture
def nulls(server: Server) -> str:
    """What makes NULL equal to NULL in a unique index."""
    if server.major < 15:
        pytest.skip("NULLS NOT DISTINCT came with PostgreSQL 15")
    return "nulls not distinct"


@dataclass(frozen=True, slots=True)
class Result:
    """What a command left: its exit code and what it printed."""

    returncode: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"exit code {self.returncode}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


class Cli(Protocol):
    """Runs `seedframe ...` in a process of its own, with a clean environment."""

    def __call__(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 120,
    ) -> Result: ...


def clean_variables(home: Path) -> dict[str, str]:
    """The environment that commands are run in: what a process needs and nothing of the developer's."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "SEEDFRAME_DATA_DIR")
        if name in os.environ
    }
    return {**kept, "HOME": str(home), "LANG": "C.UTF-8", "COLUMNS": "120"}


@pytest.fixture
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """`cli("apply", "--dry-run", cwd=folder.path, env={"DATABASE_URL": database})`, as a user would."""
    home = tmp_path_factory.mktemp("home")

    def cli(
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 120,
    ) -> Result:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "seedframe", *arguments],
            cwd=cwd,
            env=alone.hiding({**clean_variables(home), **(env or {})}),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return cli


@dataclass(frozen=True, slots=True)
class OrdinaryUser:
    """Someone who is not root: the account nobody where we are root, else ourselves."""

    python: str
    env: Mapping[str, str]
    account: Mapping[str, Any]

    def owns(self, path: Path) -> None:
        """Make a file or folder theirs."""
        if self.account:
            os.chown(path, self.account["user"], self.account["group"])

    def python_run(self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Result:
        """Run Python, e.g. `python_run("-m", "seedframe", "list", cwd=folder)`."""
        done = subprocess.run(
            [self.python, "-P", *arguments],
            cwd=cwd,
            env=alone.hiding({**clean_variables(cwd), **self.env, **(env or {})}),
            input="",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            **self.account,
        )
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def ordinary_user() -> OrdinaryUser:
    """Root's own Python may be out of reach; then the system's of the same version does, with our packages."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path.endswith("-packages"))}
    source = str(Path(__file__).parents[1])
    packages["PYTHONPATH"] += os.pathsep + source
    for python, env in ((sys.executable, {}), (f"/usr/bin/{version}", packages)):
        user = OrdinaryUser(python, env, unprivileged())
        try:
            if user.python_run("-c", "import seedframe.database.embedded, psycopg", cwd=Path("/")).returncode == 0:
                return user
        except OSError:
            continue
    pytest.skip(f"no {version} that an ordinary user can run, with what is installed for {sys.executable}")


@dataclass(frozen=True, slots=True)
class Folder:
    """A project's folder; `env` is what its commands run with (DATABASE_URL)."""

    path: Path
    cli: Cli
    env: dict[str, str] = field(default_factory=dict)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files, names relative to the folder, making folders as needed."""
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = "") -> Result:
        """`seedframe ...` in this folder, with its DATABASE_URL."""
        return self.cli(*arguments, cwd=self.path, env={**self.env, **(env or {})}, stdin=stdin)


ProjectFactory = Callable[..., Folder]

DEFAULT_CONFIG = '[project]\nname = "shop"\n'


@pytest.fixture
def project(
    tmp_path_factory: pytest.TempPathFactory, database: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> ProjectFactory:
    """`project({"seeds/10_x.py": "..."}, config="...")`: a folder with seedframe.toml, seeds/ and these files.

    DATABASE_URL points to `database`, for commands run with `folder.run(...)` and in this process too.
    """
    monkeypatch.setenv("DATABASE_URL", database)

    def project(files: Mapping[str, str] | None = None, *, config: str = DEFAULT_CONFIG) -> Folder:
        folder = Folder(tmp_path_factory.mktemp("project"), cli, {"DATABASE_URL": database})
        (folder.path / "seeds").mkdir()
        folder.write({"seedframe.toml": config, **(files or {})})
        return folder

    return project


Install = Callable[[str, str, Mapping[str, str], Mapping[str, str]], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """`install("seedframe-iso", "1.2.0", {"40_iso": "seedframe_iso.seed"}, {"seedframe_iso/seed.py": "…"})`.

    As pip would leave it, in a folder on `sys.path`, which is returned; what was imported from there is forgotten.
    """
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(name: str, version: str, points: Mapping[str, str], files: Mapping[str, str]) -> Path:
        info = site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        lines = "".join(f"{point} = {value}\n" for point, value in points.items())
        written = {
            f"{info.name}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info.name}/entry_points.txt": f"[seedframe]\n{lines}",
            **files,
        }
        record = [f"{info.name}/RECORD,,"]
        for file, text in written.items():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text(text)
            digest = base64.urlsafe_b64encode(sha256(text.encode()).digest()).decode().rstrip("=")
            record.append(f"{file},sha256={digest},{len(text.encode())}")
        (info / "RECORD").write_text("\n".join(record) + "\n")
        return site

    yield install
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(f"{site}{os.sep}"):
            del sys.modules[name]
