"""Canaries: texts that stand for secrets, every way to write them, and all that a run leaves to look for them in."""

import json
import re
import secrets
import stat
import string
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, quote_plus

import psycopg
from psycopg import sql as compose
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.servers import Server, find_bindir, running

_ALPHABET: Final = string.ascii_letters + string.digits
_AWKWARD: Final = "'\"%@/ \\é:$1&+=#?"

LOUD: Final = {
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "all",
    "pg_stat_statements.max": "10000",
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_error_verbosity": "verbose",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_lock_waits": "on",
    "log_temp_files": "0",
    "log_parameter_max_length_on_error": "-1",
    "log_min_messages": "debug1",
}
"""A server that writes down all that it is told: statements, bound values, each error with all that is known of it."""


@dataclass(frozen=True, slots=True)
class Canary:
    """A secret that nothing else resembles. Its ends are random, so that a part of it is found as well as the whole."""

    name: str
    value: str = field(repr=False)

    def needles(self) -> dict[str, bytes]:
        """Every form it is looked for in, by the form's name."""
        return {form: needle for form, needle in forms(self.value).items() if len(needle) > 5}


def canary(name: str, *, middle: str = _AWKWARD) -> Canary:
    """A new one, of at most 72 bytes, with every character in it that matters to some language."""

    def random() -> str:
        return "".join(secrets.choice(_ALPHABET) for _ in range(12))

    return Canary(name, f"{random()}{middle}{random()}")


def forms(value: str) -> dict[str, bytes]:
    """How a text or a file may have this value, or either end of it."""
    plain = value.encode()
    runs = re.findall(r"[A-Za-z0-9]{8,}", value) or [value]
    found: dict[str, str | bytes] = {
        "raw": plain,
        "its beginning": runs[0],
        "its end": runs[-1],
        "repr": repr(value)[1:-1],
        "ascii": ascii(value)[1:-1],
        "bytes": repr(plain)[2:-1],
        "JSON": json.dumps(value)[1:-1],
        "JSON, not only ASCII": json.dumps(value, ensure_ascii=False)[1:-1],
        "URL": quote(value, safe=""),
        "URL with slashes": quote(value),
        "URL, lower case": re.sub("%..", lambda match: match[0].lower(), quote(value, safe="")),
        "form": quote_plus(value),
        "SQL": value.replace("'", "''"),
        "SQL with backslashes": value.replace("\\", "\\\\").replace("'", "\\'"),
        "CSV": value.replace('"', '""'),
        "row": value.replace("\\", "\\\\").replace('"', '""'),
        "COPY": value.replace("\\", "\\\\"),
        "hexadecimal": plain.hex(),
        "HEXADECIMAL": plain.hex().upper(),
        "UTF-16 LE": value.encode("utf-16-le"),
        "UTF-16 BE": value.encode("utf-16-be"),
        "Latin-1": value.encode("latin-1", "ignore"),
    }
    for before in range(3):
        # Without the characters that have bits of a neighbour in them.
        whole = b64encode(bytes(before) + plain).decode()
        inner = whole[before + 1 if before else 0 : 8 * (before + len(plain)) // 6]
        found[f"base64, {before} before"] = inner
        found[f"base64 for addresses, {before} before"] = inner.translate(str.maketrans("+/", "-_"))
    return {name: form.encode() if isinstance(form, str) else form for name, form in found.items()}


@dataclass(frozen=True, slots=True)
class Leak:
    """A canary that was found."""

    canary: str
    place: str
    form: str
    around: str

    def __str__(self) -> str:
        return f"{self.canary} in {self.place}, {self.form}: {self.around}"


@dataclass
class Search:
    """Looks through places, and counts what it did."""

    canaries: list[Canary]
    places: int = 0
    size: int = 0

    @property
    def told(self) -> str:
        """`12 places (345 kB), 3 secrets in 29 forms each`."""
        number = len(self.canaries[0].needles())
        return f"{self.places} outputs ({self.size // 1000} kB), {len(self.canaries)} secrets, {number} forms"

    def leaks(self, places: Mapping[str, bytes]) -> list[Leak]:
        """Where any of them is, each place and canary told once."""
        found = []
        for place, content in places.items():
            self.places += 1
            self.size += len(content)
            for each in self.canaries:
                hit = next(
                    ((form, at) for form, needle in each.needles().items() if (at := content.find(needle)) >= 0), None
                )
                if hit is not None:  # one is enough
                    form, at = hit
                    around = content[max(0, at - 160) : at + 80].decode(errors="replace").replace("\n", "⏎")
                    found.append(Leak(each.name, place, form, around))
        return found

    def require_none(self, places: Mapping[str, bytes]) -> None:
        """Fail, and show where."""
        found = self.leaks(places)
        assert not found, "\n".join(map(str, found))


def files_below(folder: Path, without: Iterable[str] = ()) -> dict[str, bytes]:
    """Every file below a folder, by its path; and the names themselves, and where links lead."""
    skipped = tuple(without)
    found: dict[str, bytes] = {}
    names = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(skipped):
            continue
        names.append(f"{name} -> {path.readlink()}" if path.is_symlink() else name)
        if stat.S_ISREG(path.lstat().st_mode):
            found[name] = path.read_bytes()
    return {**found, f"names of files in {folder.name}": "\n".join(names).encode()}


# The server's side


@dataclass(frozen=True, slots=True)
class Loud:
    """A server that tells everything, and one database of it."""

    server: Server
    database: str

    def url(self, user: str = "postgres", password: str | None = None) -> str:
        """The database's address."""
        return self.server.url(self.database, user, password)

    def conninfo(self, user: str, password: str) -> str:
        """The same in libpq's keywords."""
        return make_conninfo("", **{**conninfo_to_dict(self.url(user)), "password": password})

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """SQL as superuser, several statements if need be; unseen by the log and the statistics."""
        with psycopg.connect(self.url(), autocommit=True, options="-c log_statement=none") as connection:
            connection.execute(
                "select set_config(name, value, false) from (values ('log_min_duration_statement', '-1'),"
                " ('log_min_messages', 'panic'), ('log_parameter_max_length', '0'),"
                " ('pg_stat_statements.track', 'none')) as v (name, value)"
            )
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description is not None else []

    def ledger(self) -> dict[str, bytes]:
        """Each column of each table of the ledger, as text."""
        columns = self.query(
            "select table_name, column_name from information_schema.columns where table_schema = 'seedframe'"
        )
        found = {}
        for table, column in columns:
            statement = compose.SQL("select string_agg({}::text, E'\\n') from seedframe.{}").format(
                compose.Identifier(column), compose.Identifier(table)
            )
            ((text,),) = self.query(statement.as_string())
            found[f"ledger {table}.{column}"] = (text or "").encode()
        return found

    def statements(self) -> dict[str, bytes]:
        """The texts of statements that the server keeps."""
        rows = self.query(
            "select query from pg_stat_statements union all select query from pg_stat_activity where query is not null"
        )
        return {"pg_stat_statements": "\n".join(text for (text,) in rows).encode()}

    def log(self, since: int = 0) -> dict[str, bytes]:
        """What the server has written since."""
        return {"server log": self.server.log.read_bytes()[since:]}

    @property
    def position(self) -> int:
        """The end of the log so far."""
        return self.server.log.stat().st_size


def without_bound_values(log: bytes) -> bytes:
    """The server's log less what it says of bound values: `DETAIL:  parameters: $1 = …`, to the end of the entry."""
    return b"".join(entry for entry in _entries(log) if not _BOUND.search(entry))


def statements_in(log: bytes) -> bytes:
    """What the server's log has of statements, as they were sent: no error's words, no bound values."""
    return b"".join(entry for entry in _entries(log) if re.search(rb"\] (?:LOG|STATEMENT):  ", entry))


_BOUND: Final = re.compile(rb"\] DETAIL:  (?:parameters|Parameters): |\] CONTEXT:  .*with parameters: ")


def _entries(log: bytes) -> list[bytes]:
    starts = [match.start() for match in re.finditer(rb"(?m)^\d{4}-\d\d-\d\d \d\d:", log)]
    return [log[start:end] for start, end in pairwise([*starts, len(log)])]


@contextmanager
def loud_server() -> Iterator[Server]:
    """A server of a test's own. Errors: NoServer."""
    with running(find_bindir(), **LOUD) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("create role app login")
            connection.execute("create role locked login")
            hba = server.socket_dir / "data" / "pg_hba.conf"
            hba.write_text("local all locked scram-sha-256\n" + hba.read_text())
            connection.execute("select pg_reload_conf()")
        yield server
