"""No secret anywhere: unique passwords go through every command, and are looked for in everything that is left."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest
from psycopg import sql as compose

from tests.canary import Canary, Loud, Search, canary, files_below, loud_server, statements_in, without_bound_values
from tests.conftest import Cli, Result
from tests.figures import Figures
from tests.servers import Server

SCHEMA: Final = """
create type user_role as enum ('admin', 'user');
create table users (id serial primary key, email text unique not null, password_hash text not null, first_name text,
    last_name text, role user_role, is_active boolean not null default true);
create table clients (name text primary key, token text not null unique, rate int);
create table partners (name text primary key, token text);
create table own (name text primary key, token text);
"""

CONFIG: Final = '[project]\nname = "shop"\n'

SEEDS: Final = {
    "seeds/10_admin.py": """
from seedframe import Account, LocalAccounts, Secret, Setting

SETTINGS = [Setting("ADMIN_PASSWORD", Secret, help="the first password")]

def resources(settings):
    yield Account(LocalAccounts("users"), email="admin@example.com", password=settings["ADMIN_PASSWORD"], role="admin")
    yield Account(LocalAccounts("users"), email="other@example.com", first_name="Ann", role="user")
""",
    "seeds/20_clients.py": """
from seedframe import Rows, Secret, Setting

SETTINGS = [Setting("CLIENT_TOKEN", Secret)]

def resources(settings):
    one = {"name": "one", "token": settings["CLIENT_TOKEN"], "rate": 1}
    yield Rows("clients", key="name", secret=["token"], rows=[one])
    yield Rows("partners", key="name", secret=["token"], file="partners.csv")
""",
    "seeds/30_own.py": """
from seedframe import Change, Secret, Setting

SETTINGS = [Setting("OWN_TOKEN", Secret)]
WRITES = ["own"]

def check(db, settings):
    if not db.scalar("select count(*) from own where token = :token", token=settings["OWN_TOKEN"].reveal()):
        yield Change("create", {"name": "own"}, None, {"name": "own"})

def apply(db, settings):
    db.execute("insert into own values ('own', :token)", token=settings["OWN_TOKEN"].reveal())

def verify(db, settings):
    yield from ()
""",
    "seeds/40_gone.py": """
from seedframe import Rows

def resources():
    yield Rows("own", key="name", mode="insert", rows=[])
""",
}  # fmt: skip


@dataclass
class Coop:
    """A project with secrets of every kind, and where all that it leaves is looked for."""

    folder: Path
    loud: Loud
    cli: Cli
    user: str
    account: Canary
    token: Canary
    partner: Canary
    own: Canary
    database: Canary
    env: dict[str, str] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    since: int = 0
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def given(self) -> list[Canary]:
        return [self.account, self.token, self.partner, self.own, self.database]

    def write(self, files: dict[str, str]) -> None:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")

    def run(self, *arguments: str, env: dict[str, str] | None = None, exit_code: int | None = None) -> Result:
        """A command as a user would run it; what it printed is kept."""
        done = self.cli(*arguments, cwd=self.folder, env={**self.env, **(env or {})})
        self.results[f"{next(self.numbers)} {' '.join(arguments)}"] = done
        assert exit_code is None or done.returncode == exit_code, done
        return done

    def printed(self) -> dict[str, bytes]:
        found = {}
        for name, done in self.results.items():
            found[f"stdout of {name}"] = done.stdout.encode()
            found[f"stderr of {name}"] = done.stderr.encode()
        return found

    def left(self) -> dict[str, bytes]:
        """All but the server's log. The seeds, and the file that a secret came from, are its user's."""
        sources = ("seeds/", "secrets/", ".env", "seedframe.toml", ".seedframe/passwords/")
        return {
            **self.printed(),
            **files_below(self.folder, sources),
            **self.loud.ledger(),
            **self.loud.statements(),
        }

    def hashes(self) -> list[Canary]:
        """What bcrypt made of the passwords: the whole, or its digest alone."""
        found = self.loud.query("select email, password_hash from users")
        return [Canary(f"hash of {email}", value) for email, value in found]

    def generated(self) -> list[Canary]:
        """The passwords that were generated, from the only place that may hold them."""
        files = sorted((self.folder / ".seedframe" / "passwords").glob("*"))
        found = [re.search(r"^password: (.+)$", file.read_text(), re.MULTILINE) for file in files]
        return [Canary("a generated password", match[1]) for match in found if match is not None]


@pytest.fixture(scope="module")
def loud_machine() -> Iterator[Server]:
    with loud_server() as server:
        yield server


_databases = count(1)


@pytest.fixture
def coop(loud_machine: Server, tmp_path: Path, cli: Cli, request: pytest.FixtureRequest) -> Coop:
    """A project and a database of its own; `user` is the role it connects as, `postgres` unless parametrized."""
    user = getattr(request, "param", "postgres")
    name = f"coop{next(_databases)}"
    with psycopg.connect(loud_machine.url(), autocommit=True) as connection:
        connection.execute(compose.SQL("create database {} owner {}").format(*map(compose.Identifier, (name, user))))
    loud = Loud(loud_machine, name)
    loud.query("create extension pg_stat_statements")
    loud.query(f"set role {user};" + SCHEMA)
    coop = Coop(
        tmp_path / "project",
        loud,
        cli,
        user,
        account=canary("the account's password"),
        token=canary("a secret cell"),
        partner=canary("a secret cell of a file", middle="'%@/ \\é:$1"),
        own=canary("a secret setting"),
        database=canary("the database's password"),
    )
    coop.write(
        {
            **SEEDS,
            "seedframe.toml": CONFIG,
            "seeds/partners.csv": f"name,token\nacme,{coop.partner.value}\n",
            "secrets/token": coop.token.value + "\n",
        }
    )
    (coop.folder / "tmp").mkdir()
    coop.env = {
        "ADMIN_PASSWORD": coop.account.value,
        "CLIENT_TOKEN_FILE": "secrets/token",
        "OWN_TOKEN": coop.own.value,
        "DATABASE_URL": loud.url(user, coop.database.value),
        "TMPDIR": str(coop.folder / "tmp"),
    }
    coop.since = loud.position
    return coop


# Commands, in an order in which they can be run. New commands and options are added as lines.
COMMANDS: Final = (
    "--help",
    "apply --help",
    "--version",
    "list",
    "list -vv --format json",
    "env",
    "env --check",
    "env --example",
    "env --format json",
    "plugins",
    "plugins --format json",
    "db url",
    "db shell -- -c select",
    "db start",
    "db stop",
    "verify",
    "apply --dry-run",
    "apply --dry-run -q",
    "apply --dry-run -vv --format json --log-file log",
    "apply --rehearse -vv --log-file log",
    "apply --rehearse --transaction run --format json",
    "apply --skip own --skip gone -vv --log-file log --output report.txt",
    "apply --dry-run --out plan.json -v",
    "apply --plan plan.json -vv --log-file log --format json --output report.json",
    "apply",
    "apply -q --format json",
    "apply --transaction run -vv --on-conflict database",
    "verify -vv --log-file log",
    "verify -q",
    "verify --format json --output verified.json",
    "history",
    "history -vv --format json",
    "history 1 -vv",
    "history 1 --format json",
    "history --check -v",
    "history --check --format json",
    "history --export-head",
    "db init -vv --log-file log",
    "nonsense",
    "apply nonsense --log-file log",
    "apply --env nonsense -vv",
)  # fmt: skip


@pytest.mark.parametrize("coop", ["postgres", "app"], indirect=True)
@pytest.mark.timeout(1200)
def test_every_command(coop: Coop, tell: Figures) -> None:
    for line in COMMANDS:
        done = coop.run(*line.split())
        assert "this is a bug" not in done.stderr, done
    # What is changed in the database is told of, and what is gone is forgotten.
    coop.loud.query("update clients set token = 'x', rate = 7; update partners set token = null; delete from own")
    coop.run("verify", "-vv", exit_code=2)
    coop.run("apply", "--dry-run", "--format", "json", exit_code=0)
    coop.run("apply", "--on-conflict", "fail", "-v", exit_code=1)
    coop.run("apply", "-v", exit_code=0)
    (coop.folder / "seeds" / "40_gone.py").unlink()
    coop.run("verify", exit_code=2)
    coop.run("forget", "gone", "-v", exit_code=0)
    coop.run("apply", env={"ADMIN_PASSWORD": ""}, exit_code=3)
    coop.run("history", "2", "-vv")

    generated, hashes = coop.generated(), coop.hashes()
    assert len(generated) == 1
    assert len(hashes) == 2
    assert coop.loud.query("select token from clients union all select token from partners") == [
        (coop.token.value,), (coop.partner.value,)
    ]  # fmt: skip
    search = Search([*coop.given, *generated, *hashes])
    search.require_none(coop.left())
    log = coop.loud.log(coop.since)["server log"]
    assert b"INSERT INTO" in log
    if coop.user == "postgres":
        search.require_none({"server log": log})
    else:
        # Whoever may not quieten the log cannot help it writing down what is bound: secret cells, and hashes.
        Search([coop.account, coop.database, *generated]).require_none({"server log": log})
        search.require_none({"server log less bound values": without_bound_values(log)})
    tell(f"{len(coop.results)} commands as {coop.user}: {search.told}, 0 found")


# -------------------------------------------------------------------------
# Failures
# -------------------------------------------------------------------------

FAILING_SCHEMA: Final = """
create table strict (name text primary key, token text not null check (length(token) < 8), n int not null);
create table numbers (name text primary key, token int);
create table dates (name text primary key, token timestamptz, doc jsonb, list int[], enum user_role,
    small numeric(3, 1));
create table short (name text primary key, token varchar(5));
create table once (name text primary key, token text unique);
create table guarded (name text primary key, token text);
create table hashes (id serial primary key, email text unique not null, password_hash text not null,
    extra text not null);
create table few (id serial primary key, email text unique not null,
    password_hash text not null check (password_hash = 'never'));
create function speak() returns trigger language plpgsql as
    $$ begin raise exception 'no % for %', new.token, new using detail = new.token, hint = new.token; end $$;
create trigger speak before insert or update on guarded for each row execute function speak();
insert into once values ('other', '{partner}');
"""

PREAMBLE: Final = """
import base64, json, logging, os, sys, urllib.parse, warnings
from seedframe import Account, Change, Finding, LocalAccounts, Rows, Secret, Setting
from loguru import logger

CRITICAL = False
SETTINGS = [Setting("ADMIN_PASSWORD", Secret), Setting("OWN_TOKEN", Secret)]
"""

# In each, S is a secret's text and F one that only a file has. What they do, whatever is to become of them in `apply`.
FAILING: Final = {
    "message": "raise RuntimeError('it is ' + S)",
    "arguments": "raise RuntimeError('it is', {'password': S}, [S.encode()])",
    "key": "return {}[S]",
    "local": "password = S; return 1 / 0",
    "note": "e = RuntimeError('no'); e.add_note(S); raise e",
    "cause": """
    try:
        int(S)
    except ValueError as error:
        raise RuntimeError('no number') from error""",
    "context": """
    try:
        int(S)
    except ValueError:
        raise RuntimeError('no number: ' + S)""",
    "group": "raise ExceptionGroup('all of ' + S, [ValueError(S), ExceptionGroup(S, [KeyError(S)])])",
    "system exit": "sys.exit(S)",
    "its own class": """
    class Refused(Exception):
        def __str__(self):
            return 'refused ' + repr(vars(self))
    error = Refused()
    error.password = S
    raise error""",
    "class name": "raise type('Refused' + S, (Exception,), {})(S)",
    "unicode error": "S.encode('ascii')",
    "json error": "json.loads(S)",
    "base64": "raise RuntimeError('Basic ' + base64.b64encode(('app:' + S).encode()).decode())",
    "base64 for addresses": "raise RuntimeError(base64.urlsafe_b64encode(b'x' + S.encode()).decode())",
    "hexadecimal": "raise RuntimeError(S.encode().hex())",
    "address": "raise RuntimeError('https://app:' + urllib.parse.quote(S) + '@example.com/')",
    "address, all of it": "raise RuntimeError('https://app:' + urllib.parse.quote(S, safe='') + '@example.com/')",
    "form": "raise RuntimeError(urllib.parse.urlencode({'password': S}))",
    "repr": "raise RuntimeError(repr({'password': S}))",
    "ascii": "raise RuntimeError(ascii([S]))",
    "json": "raise RuntimeError(json.dumps({'password': S}))",
    "json text": "raise RuntimeError(json.dumps({'password': S}, ensure_ascii=False))",
    "json in json": "raise RuntimeError(json.dumps(json.dumps(S)))",
    "whole address": "raise RuntimeError('cannot open ' + os.environ['DATABASE_URL'])",
    "environment": "raise RuntimeError(str(dict(os.environ)))",
    "attribute": "settings['ADMIN_PASSWORD'].nothing",
    "format": "raise RuntimeError(f'{settings[\"ADMIN_PASSWORD\"]!r:>20} {settings}')",
    "pickle": "import pickle; pickle.dumps(settings['ADMIN_PASSWORD'])",
    "finding": "yield 'bad ' + S",
    "long finding": "yield Finding('x' * 490 + S + base64.b64encode(S.encode()).decode(), 'error')",
    "note of db": "db.note('look: ' + S, 'warning'); yield 'bad'",
    "printed": """
    print(S)
    print(repr(S), S.encode(), file=sys.stderr)
    sys.stderr.buffer.write(S.encode())
    yield 'bad'""",
    "warned": "warnings.warn(S); yield 'bad'",
    "logged": """
    logging.error('is %s', S)
    logging.getLogger('own').warning('is %r', S, extra={'password': S})
    logger.bind(password=S, secret=settings['ADMIN_PASSWORD'], deep={'a': [S]}).error('it is {}', S)
    logger.bind(**{S: 1}).warning(base64.b64encode(S.encode()).decode())
    password = S
    try:
        int(S)
    except ValueError:
        logger.exception('no number: {}', S)
        logger.opt(exception=True).critical('again')
        logging.exception('no number')
    yield 'bad'""",
    "own sink": """
    password = S
    logger.add(sys.stderr, serialize=True)
    logger.add(sys.stderr, backtrace=True, diagnose=True)
    try:
        1 / (len(password) - len(S))
    except ZeroDivisionError:
        logger.exception('nothing')
    yield 'bad'""",
    "sql literal": "db.execute(\"select * from users where email = '\" + S.replace(\"'\", \"''\") + \"'\")",
    "sql syntax": "db.execute(\"select '\" + S.replace(\"'\", \"''\") + \"' from from\")",
    "sql unquoted": "db.execute('select ' + S)",
    "sql name": "db.execute('select * from \"' + S.replace('\"', '\"\"') + '\"')",
    "sql comment": "db.execute('select 1 /* ' + S + ' */ from nothing')",
    "sql value": "db.scalar('select cast(cast(:s as text) as integer)', s=S)",
    "sql date": "db.scalar('select cast(cast(:s as text) as timestamptz)', s=S)",
    "sql json": "db.scalar('select cast(cast(:s as text) as jsonb)', s=S)",
    "sql raise": "db.execute('select 1 / length(:s) from users where email = cast(:s as uuid)::text', s=S)",
    "sql parameter": "db.execute('select :s, :t', s=S)",
    "sql type": "db.execute('select :s', s=object)",
    "sqlalchemy": """
    import sqlalchemy
    login = 'nobody:' + urllib.parse.quote(S, safe='')
    sqlalchemy.create_engine('postgresql+psycopg://' + login + '@127.0.0.1:1/x').connect()""",
    "statement error": """
    import sqlalchemy
    raise sqlalchemy.exc.StatementError('no', 'select :s', {'s': S}, ValueError(S))""",
    "dbapi error": """
    import psycopg, sqlalchemy
    raise sqlalchemy.exc.DBAPIError('select :s', {'s': S}, psycopg.DataError('bad: ' + S))""",
    "own connection": """
    import psycopg
    psycopg.connect('postgresql://nobody:' + S + '@/x')""",
    "own query": """
    import psycopg
    raise psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "' + S + '"')""",
}  # fmt: skip

FAILING_ROWS: Final = {
    "null": 'Rows("strict", key="name", secret=["token"], rows=[{"name": "a", "token": F, "n": None}])',
    "check": 'Rows("strict", key="name", secret=["token"], rows=[{"name": "a", "token": F, "n": 1}])',
    "type": 'Rows("numbers", key="name", secret=["token"], rows=[{"name": "a", "token": F}])',
    "range": 'Rows("numbers", key="name", secret=["token"], rows=[{"name": "a", "token": D}])',
    "date": 'Rows("dates", key="name", secret=["token"], rows=[{"name": "a", "token": F}])',
    "jsonb": 'Rows("dates", key="name", secret=["doc"], rows=[{"name": "a", "doc": "{" + F}])',
    "array": 'Rows("dates", key="name", secret=["list"], rows=[{"name": "a", "list": "{" + F}])',
    "array element": 'Rows("dates", key="name", secret=["list"], rows=[{"name": "a", "list": [1, D]}])',
    "enum": 'Rows("dates", key="name", secret=["enum"], rows=[{"name": "a", "enum": F}])',
    "numeric": 'Rows("dates", key="name", secret=["small"], rows=[{"name": "a", "small": D}])',
    "long": 'Rows("short", key="name", secret=["token"], rows=[{"name": "a", "token": F}])',
    "trigger": 'Rows("guarded", key="name", secret=["token"], rows=[{"name": "a", "token": F}])',
    "unique": 'Rows("once", key="name", secret=["token"], rows=[{"name": "a", "token": F}])',
    "unique twice": (
        'Rows("once", key="name", secret=["token"], rows=[{"name": name, "token": F + "2"} for name in "ab"])'
    ),
    "secret key": 'Rows("once", key="token", secret=["token"], rows=[{"token": F + "3"}, {"token": F + "3"}])',
    "no column": 'Rows("once", key="name", secret=["tokn"], rows=[{"name": "a", "tokn": F}])',
    "object": 'Rows("once", key="name", secret=["token"], rows=[{"name": "a", "token": {F}}])',
    "fields": 'Rows("once", key="name", secret=["token"], rows=[{"name": "a", "token": F}, {"name": "b", F: 1}])',
    "csv type": 'Rows("numbers", key="name", secret=["token"], file="failing.csv")',
    "csv quotes": 'Rows("once", key="name", secret=["token"], file="quotes.csv")',
    "csv fields": 'Rows("once", key="name", secret=["token"], file="fields.csv")',
    "json file": 'Rows("once", key="name", secret=["token"], file="broken.json")',
    "toml file": 'Rows("once", key="name", secret=["token"], file="broken.toml")',
    "not secret": 'Rows("numbers", key="name", rows=[{"name": "a", "token": settings["OWN_TOKEN"]}])',
    "a name": 'Rows(S, key="name", rows=[{"name": "a"}])',
    "a key": 'Rows("once", key="name", rows=[{"name": "a", S: 1}])',
    "a file's name": 'Rows("once", key="name", file=S + ".csv")',
    "account": 'Account(LocalAccounts("hashes"), email="a@example.com", password=settings["ADMIN_PASSWORD"])',
    "account check": 'Account(LocalAccounts("few"), email="a@example.com", password=settings["ADMIN_PASSWORD"])',
    "account, plain": 'Account(LocalAccounts("users"), email="a@example.com", password=S)',
    "account, its e-mail": 'Account(LocalAccounts("users"), email=S)',
    "account, its role": 'Account(LocalAccounts("users"), email="a@example.com", role=S)',
}  # fmt: skip


def _failing(coop: Coop) -> dict[str, str]:
    """A seed for each failure."""
    files: dict[str, str] = {}
    tell = f"S = settings['ADMIN_PASSWORD'].reveal(); F = open({str(coop.folder / 'secrets/file')!r}).read()"
    digits = f"D = open({str(coop.folder / 'secrets/digits')!r}).read()"
    for number, code in enumerate(FAILING.values(), 100):
        hook = f"def verify(db, settings):\n    {tell}\n    {code.strip()}\n    yield 'bad'\n"
        files[f"seeds/{number}_s{number}.py"] = PREAMBLE + hook
    for number, code in enumerate(FAILING_ROWS.values(), 300):
        hook = f"def resources(settings):\n    {tell}; {digits}\n    yield {code}\n"
        files[f"seeds/{number}_s{number}.py"] = PREAMBLE + hook
    value = coop.partner.value
    return {
        **files,
        "secrets/file": value,
        "secrets/digits": _DIGITS.value,
        "seeds/failing.csv": f"name,token\na,1\nb,{value}\n",
        "seeds/quotes.csv": f'name,token\na,"{value}\n',
        "seeds/fields.csv": f"name,token\na,{value},{value}\n",
        "seeds/broken.json": f'[{{"name": "a", "token": "{value.replace(chr(92), "")}" oops}}]',
        "seeds/broken.toml": f'[[rows]]\nname = "a"\ntoken = {value}\n',
    }


_DIGITS: Final = Canary("a number", "73019" + str(int.from_bytes(b"canary")) + "4482")


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("coop", ["postgres", "app"], indirect=True)
def test_every_failure(coop: Coop, tell: Figures) -> None:
    schema = FAILING_SCHEMA.replace("{partner}", coop.partner.value.replace("'", "''"))
    coop.loud.query(f"set role {coop.user};" + schema)
    for seed in (coop.folder / "seeds").glob("[0-9]*"):
        seed.unlink()
    coop.write(_failing(coop))
    search = Search([*coop.given, _DIGITS])
    kinds = len(FAILING) + len(FAILING_ROWS)
    for line, failures in (
        ("list -v", None),
        ("apply --dry-run -vv --log-file log --format json --keep-going", None),
        ("apply --dry-run --out plan.json --keep-going", None),
        ("verify -vv --log-file log", None),
        ("verify --format json --output verified.json", kinds),
        ("apply --rehearse -v --keep-going", None),
        ("apply --keep-going -vv --log-file log", None),
        ("apply --keep-going --format json", kinds),
        ("apply --keep-going --transaction run -q", None),
        ("history 1 -vv", None),
        ("history 2 --format json", None),
    ):
        done = coop.run(*line.split())
        assert "this is a bug" not in done.stderr, done
        if failures is not None:
            text = done.stdout if "--output" not in line else (coop.folder / "verified.json").read_text()
            seeds = json.loads(text)["seeds"]
            assert len(seeds) == failures
            well = [seed["seed"] for seed in seeds if seed["status"] != "failed"]
            assert not well or "verify" in line, well
    search.require_none(coop.left())
    log = coop.loud.log(coop.since)["server log"]
    own = re.compile(rb"(?m)^.*(?:nobody|psycopg).*$")
    if coop.user == "postgres":
        search.require_none({"server log": own.sub(b"", log)})
    else:
        # Nor that it quotes, in errors and debugging messages, what a seed has it read as a number or a name.
        search.require_none({"statements in the server log": own.sub(b"", statements_in(log))})
    tell(f"{kinds} failures, {len(coop.results)} commands as {coop.user}: {search.told}, 0 found")
