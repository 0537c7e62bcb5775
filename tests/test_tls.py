"""TLS: in production a server off this machine is verified, unless the project opts out, and else refused."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from seedframe.configuration.config import DatabaseConfig, load_config
from seedframe.database.address import configured_address, configured_url
from seedframe.errors import ConfigError
from seedframe.secrets import Secret
from tests.conftest import Cli, Folder, ProjectFactory
from tests.servers import Server, find_bindir, running, unprivileged

CANARY = "hunter2-canary"

# What counts as off this machine


def required(url: str | None, **more: Secret) -> dict[str, str]:
    """The keywords of an address where TLS is required."""
    database = DatabaseConfig(
        url=None if url is None else Secret(url), source="DATABASE_URL", libpq=more, tls="required"
    )
    return dict(configured_address(database).parameters)


@pytest.fixture(autouse=True)
def authorities(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of authorities that the system trusts, and a home without any."""
    file = tmp_path / "authorities.crt"
    file.write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGSYSCONFDIR", str(tmp_path))
    return file


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///shop",
        "postgresql:///shop?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/shop",
        "host=@abstract dbname=shop",
        "postgresql://localhost/shop",
        "postgresql://LocalHost/shop",
        "postgresql://127.0.0.1/shop",
        "postgresql://127.8.9.10:6543/shop",
        "postgresql://[::1]/shop",
        "host=::ffff:127.0.0.1 dbname=shop",
        "host=db.example.com hostaddr=127.0.0.1 dbname=shop",  # what counts is where the bytes go
        "host=db.example.com hostaddr=::1 dbname=shop",
        "host=localhost,127.0.0.1,/run/postgresql port=1,2,3",
        "host=a,localhost hostaddr=127.0.0.1,",
        "postgresql://127.0.0.1/shop?sslmode=disable",
        "dbname=shop",
    ],
)
def test_what_stays_on_this_machine_needs_no_tls(url: str) -> None:
    plain = DatabaseConfig(url=Secret(url), source="DATABASE_URL")
    assert required(url) == dict(configured_address(plain).parameters)


@pytest.mark.promise(
    "production is reached over a network",
    "the server's certificate is verified (sslmode=verify-full), unless the project opts out; less is refused",
)
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example.com/shop",
        "postgresql://10.0.0.5/shop",
        "postgresql://128.0.0.1/shop",
        "postgresql://0.0.0.0/shop",
        "postgresql://[::]/shop",
        "postgresql://[fe80::1]/shop",
        "host=::ffff:10.0.0.5 dbname=shop",
        "postgresql://127.1/shop",
        "postgresql://2130706433/shop",
        "postgresql://localhost.example.com/shop",
        "postgresql://127.0.0.1.example.com/shop",
        "host=localhost hostaddr=10.0.0.5 dbname=shop",
        "host=localhost hostaddr=db.example.com dbname=shop",
        "hostaddr=10.0.0.5 dbname=shop",
        "host=/run/postgresql hostaddr=10.0.0.5",
        "host=localhost,db.example.com dbname=shop",
        "host=db.example.com,localhost port=5432",
        "host=localhost,b hostaddr=127.0.0.1,",
        "host=localhost,localhost hostaddr=127.0.0.1,10.0.0.5",
        "postgresql://a:1,localhost:2/shop",
    ],
)
def test_what_leaves_this_machine_is_verified(url: str, authorities: Path) -> None:
    said = {"sslmode": "verify-full", "sslrootcert": str(authorities)}
    plain = dict(configured_address(DatabaseConfig(url=Secret(url), source="DATABASE_URL")).parameters)
    assert required(url) == {**plain, **said}
    for mode in ("disable", "allow", "prefer", "require", "verify-ca"):
        weaker = f"{url}{'&' if '?' in url else '?'}sslmode={mode}" if "://" in url else f"{url} sslmode={mode}"
        with pytest.raises(ConfigError) as refused:
            required(weaker)
        assert str(refused.value) == (
            f"DATABASE_URL: sslmode={mode} does not verify the server, and this environment requires that off this"
            ' machine (write sslmode=verify-full; or, where the network is trusted, tls = "optional" under [database])'
        )


def test_the_variables_of_libpq_count_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "sslmode" not in required("dbname=shop")
    monkeypatch.setenv("PGHOST", "db.example.com")
    assert required("dbname=shop")["sslmode"] == "verify-full"
    assert required(None)["sslmode"] == "verify-full"
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
    assert "sslmode" not in required("dbname=shop")
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.5")
    assert required("postgresql://localhost/shop")["sslmode"] == "verify-full"
    monkeypatch.setenv("PGSSLMODE", "require")
    with pytest.raises(ConfigError, match=r"^PGSSLMODE: sslmode=require does not verify"):
        required("dbname=shop")
    monkeypatch.setenv("PGSSLMODE", "prefer")
    with pytest.raises(ConfigError, match="sslmode=prefer"):
        required("dbname=shop")
    assert required("dbname=shop sslmode=verify-full")["sslmode"] == "verify-full"
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert required("dbname=shop")["sslmode"] == "verify-full"
    monkeypatch.setenv("PGSSLROOTCERT", "/etc/own.crt")
    assert "sslrootcert" not in required("dbname=shop")
    monkeypatch.setenv("PGSSLMODE", CANARY)
    with pytest.raises(ConfigError) as refused:
        required("dbname=shop")
    assert CANARY not in str(refused.value)


def test_variables_in_dotenv_count_as_well() -> None:
    with pytest.raises(ConfigError, match=r"^PGSSLMODE in \.env: sslmode=require"):
        required("postgresql://db.example.com/shop", sslmode=Secret("require"))
    given = required("postgresql://db.example.com/shop?sslmode=verify-full", sslmode=Secret("require"))
    assert given["sslmode"] == "verify-full"
    assert required(None, host=Secret("db.example.com"))["sslmode"] == "verify-full"


def test_an_entry_of_the_service_file_counts_as_well(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    services = tmp_path / "services.conf"
    services.write_text(
        "[far]\nhost=db.example.com\n[weak]\nhost=db.example.com\nsslmode=require\n"
        "[default]\nhost=db.example.com\nsslmode=prefer\n[strong]\nhost=db.example.com\nsslmode=verify-full\n"
        "[near]\nhost=localhost\nsslmode=disable\n[trusting]\nhost=db.example.com\nsslrootcert=/etc/own.crt\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    assert required("service=far")["sslmode"] == "verify-full"
    assert required("service=strong")["sslmode"] == "verify-full"
    assert "sslmode" not in required("service=near")
    assert "sslrootcert" not in required("service=trusting")
    for name in ("weak", "default"):
        with pytest.raises(ConfigError, match="does not verify the server"):
            required(f"service={name}")
        monkeypatch.setenv("PGSERVICE", name)
        with pytest.raises(ConfigError, match="PGSSLMODE, or the service: sslmode="):
            required("dbname=shop")
        monkeypatch.delenv("PGSERVICE")
    assert {name for name in os.environ if name in ("PGSERVICE", "PGSSLMODE")} == set()
    monkeypatch.setenv("PGSSLMODE", "require")
    with pytest.raises(ConfigError, match="sslmode=require"):
        required("service=far")
    assert os.environ["PGSSLMODE"] == "require"


def test_the_authorities_are_those_that_are_named_else_ones_own_else_the_systems(
    authorities: Path, tmp_path: Path
) -> None:
    far = "postgresql://db.example.com/shop"
    assert required(far)["sslrootcert"] == str(authorities)
    assert required(f"{far}?sslrootcert=/etc/own.crt")["sslrootcert"] == "/etc/own.crt"
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_text("")
    assert "sslrootcert" not in required(far)


CONFIG = """
[project]
name = "shop"

[env.production]
[env.staging.database]
tls = "required"
[env.lan.project]
production = true
[env.lan.database]
tls = "optional"
"""


@pytest.mark.parametrize(
    ("env", "expected"),
    [("production", "required"), ("staging", "required"), ("lan", "optional"), ("development", "optional")],
)
def test_production_requires_it_and_the_file_decides(project: ProjectFactory, env: str, expected: str) -> None:
    folder = project(config=CONFIG)
    assert load_config(folder.path, env=env).database.tls == expected


def test_the_choice_is_one_of_two_words(project: ProjectFactory) -> None:
    with pytest.raises(ConfigError, match=r"database\.tls: expected 'required' or 'optional'"):
        load_config(project(config='[database]\ntls = "off"\n').path)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("postgresql+psycopg://u:p%40@db.example.com/shop", "postgresql+psycopg://u:p%40@db.example.com/shop?{}&{}"),
        (
            "postgresql://db.example.com/shop?connect_timeout=3",
            "postgresql://db.example.com/shop?connect_timeout=3&{}&{}",
        ),
        ("host=db.example.com password='a://b'", "host=db.example.com password='a://b' {} {}"),
        ("postgresql://db.example.com/shop?sslmode=verify-full&sslrootcert=/a", None),
        ("postgresql://localhost/shop", None),
    ],
)
def test_other_programs_get_the_address_as_it_was_written_and_what_it_lacks(
    authorities: Path, written: str, expected: str | None
) -> None:
    database = DatabaseConfig(url=Secret(written), source="DATABASE_URL", tls="required")
    told = configured_url(database, configured_address(database)).reveal()
    path = str(authorities) if "://u" not in written and not written.startswith("postgres") else quoted(authorities)
    assert told == (written if expected is None else expected.format("sslmode=verify-full", f"sslrootcert={path}"))


def quoted(path: Path) -> str:
    return str(path).replace("/", "%2F")


# Real handshakes


@dataclass(frozen=True, slots=True)
class Certified:
    """A server on a loopback port that may be given a certificate, and the file of the authority that signed them."""

    server: Server
    port: int
    authority: Path
    certificates: Path

    def present(self, name: str | None) -> None:
        """Have the server present a certificate from now on; None turns TLS off."""
        with psycopg.connect(self.server.url(), autocommit=True) as connection:
            if name is not None:
                for setting, ending in (("ssl_cert_file", "crt"), ("ssl_key_file", "key")):
                    connection.execute(f"alter system set {setting} = '{self.certificates / name}.{ending}'".encode())
            connection.execute(f"alter system set ssl = {'off' if name is None else 'on'}".encode())
            connection.execute("select pg_reload_conf()")
        expected = ("off",) if name is None else ("on", f"{self.certificates / name}.crt")
        deadline = time.monotonic() + 100
        while True:
            with psycopg.connect(self.server.url()) as fresh:
                shown = fresh.execute("select current_setting('ssl'), current_setting('ssl_cert_file')").fetchone()
            if shown is not None and shown[: len(expected)] == expected:
                return
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(scope="module")
def certified() -> Iterator[Certified]:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make certificates")
    with contextlib.ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="sf-tls-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o755)
        make_certificates(openssl, folder)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        server = stack.enter_context(running(find_bindir(), listen_addresses="127.0.0.1", port=str(port)))
        database = Certified(server_on(server, port), port, folder / "authority.crt", folder)
        yield database


def server_on(server: Server, port: int) -> Server:
    """The same server; its socket is named after its port."""

    class OnPort(Server):
        def url(self, dbname: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
            return f"{super().url(dbname, user, password)}&port={port}"

    return OnPort(server.bindir, server.version_num, server.socket_dir, server.log, server.pid)


def make_certificates(openssl: str, folder: Path) -> None:
    """An authority, a certificate of it for this machine, one for another host, and one that nobody signed."""

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=folder)

    new = ("-newkey", "rsa:2048", "-nodes")
    run(
        "req",
        "-x509",
        *new,
        "-days",
        "2",
        "-subj",
        "/CN=authority",
        "-keyout",
        "authority.key",
        "-out",
        "authority.crt",
    )
    run(*("req", "-x509", *new, "-days", "2", "-subj", "/CN=own", "-addext", "subjectAltName=IP:127.0.0.1"),
        *("-keyout", "own.key", "-out", "own.crt"))  # fmt: skip
    for name, alternative in (("right", "IP:127.0.0.1"), ("wrong", "DNS:other.example.com")):
        run("req", *new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        run(*("x509", "-req", "-in", f"{name}.csr", "-CA", "authority.crt", "-CAkey", "authority.key"),
            *("-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.crt"))  # fmt: skip
    account = unprivileged()
    for key in folder.glob("*.key"):
        if account:
            os.chown(key, account["user"], account["group"])
        key.chmod(0o600)


SEED = "def verify(db):\n    db.note(db.scalar('select ssl::text from pg_stat_ssl where pid = pg_backend_pid()'))\n"
MIGRATE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    used, = connection.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()").fetchone()
    print("migrated over TLS" if used else "migrated in the open")
"""
MIGRATING = CONFIG + '\n[migrations]\ncommand = "python migrate.py"\n'


@pytest.fixture
def far(certified: Certified, project: ProjectFactory) -> Folder:
    """A project whose database is at 127.1: on this machine, and not known to be, so that all can be seen to happen."""
    folder = project({"seeds/10_told.py": SEED, "migrate.py": MIGRATE}, config=MIGRATING)
    url = f"postgresql://postgres:{CANARY}@127.1:{certified.port}/postgres"
    folder.env.update(DATABASE_URL=url, SEEDFRAME_ENV="production", SSL_CERT_FILE=str(certified.authority))
    with psycopg.connect(certified.server.url(), autocommit=True) as connection:
        connection.execute("drop schema if exists seedframe cascade")
    return folder


EVERY_WAY = (
    ["apply"],
    ["apply", "--dry-run"],
    ["apply", "--rehearse"],
    ["verify"],
    ["db", "init", "-v"],
    ["db", "mark"],
    ["history"],
    ["db", "shell", "--", "-Atc", "select 'over ' || ssl from pg_stat_ssl where pid = pg_backend_pid()"],
)


def test_a_server_with_the_right_certificate_is_verified_on_every_way(certified: Certified, far: Folder) -> None:
    certified.present("right")
    for command in EVERY_WAY:
        if command[:2] == ["db", "shell"] and shutil.which("psql") is None:
            continue
        done = far.run(*command)
        assert done.returncode == 0, done
        assert CANARY not in done.stdout + done.stderr
        if command[:2] == ["db", "shell"]:
            assert done.stdout.strip() == "over true"
        if command[:2] == ["db", "init"]:
            assert "migrated over TLS" in done.stdout
        if command in (["apply"], ["verify"]):
            assert "true" in done.stdout


@pytest.mark.parametrize(
    ("certificate", "told"),
    [
        ("wrong", "the TLS certificate of 127.1:{port} is for another host name than 127.1"),
        ("own", "the TLS certificate of 127.1:{port} cannot be verified"),
        (None, "127.1:{port} does not offer TLS, and sslmode asks for it"),
    ],
)
@pytest.mark.promise(
    "the server's certificate is for another host, of nobody that is trusted, or there is none",
    "in production no way to a connection takes it: one line says what is wrong, and no password is sent",
)
def test_any_other_server_is_refused_on_every_way(
    certified: Certified, far: Folder, certificate: str | None, told: str
) -> None:
    certified.present(certificate)
    for command in EVERY_WAY:
        if command[:2] == ["db", "shell"]:
            continue  # psql tells in its own words
        done = far.run(*command)
        assert done.returncode == 3, done
        assert told.format(port=certified.port) in done.stdout + done.stderr, done
        assert CANARY not in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
    if shutil.which("psql") is not None:
        done = far.run(*EVERY_WAY[-1])
        assert (done.returncode, done.stdout, CANARY in done.stderr) == (2, "", False), done


def test_a_weaker_mode_is_refused_before_anything_is_sent(certified: Certified, far: Folder) -> None:
    certified.present("right")
    for command in EVERY_WAY:
        done = far.run(*command, env={"DATABASE_URL": far.env["DATABASE_URL"] + "?sslmode=require"})
        assert done.returncode == 3, done
        assert "sslmode=require does not verify the server" in done.stdout + done.stderr
        assert CANARY not in done.stdout + done.stderr


def test_who_opts_out_connects_as_the_address_says(certified: Certified, far: Folder) -> None:
    certified.present(None)
    for env in ("lan", "development"):
        with psycopg.connect(certified.server.url(), autocommit=True) as connection:
            connection.execute("drop schema if exists seedframe cascade")
        done = far.run("db", "init", "-v", "--env", env)
        assert (done.returncode, "migrated in the open" in done.stdout) == (0, True), done


def test_ones_own_authority_is_found_where_libpq_looks(certified: Certified, far: Folder, cli: Cli) -> None:
    certified.present("right")
    nobody = {"SSL_CERT_FILE": str(certified.certificates / "own.crt")}
    refused = far.run("verify", env=nobody)
    assert (refused.returncode, "cannot be verified" in refused.stdout + refused.stderr) == (3, True), refused
    home = far.path / "home"
    (home / ".postgresql").mkdir(parents=True)
    shutil.copy(certified.authority, home / ".postgresql" / "root.crt")
    done = far.run("verify", env={**nobody, "HOME": str(home)})
    assert done.returncode == 0, done


def test_an_address_without_a_host_name_says_what_is_lacking(certified: Certified, far: Folder) -> None:
    certified.present("right")
    url = f"hostaddr=127.0.0.1 port={certified.port} user=postgres dbname=postgres"
    explicit = f"{url} sslmode=verify-full sslrootcert={certified.authority}"
    done = far.run("verify", env={"DATABASE_URL": explicit})
    assert (done.returncode, "cannot be verified without a host name" in done.stdout + done.stderr) == (3, True), done
    named = far.run("verify", env={"DATABASE_URL": f"{explicit} host=127.0.0.1"})
    assert named.returncode == 0, named


def test_the_url_for_other_programs_says_it_too(certified: Certified, far: Folder) -> None:
    done = far.run("db", "url")
    assert done.returncode == 0
    assert "sslmode=verify-full" in done.stdout
    assert quoted(certified.authority) in done.stdout
    assert CANARY not in done.stdout
