"""Ends the connection of a run, as an administrator or a failing server would, at a point that its seeds come by."""

from collections import Counter
from dataclasses import dataclass, field

import psycopg

from seedframe.database.db import Db


@dataclass(slots=True)
class Terminator:
    """What is to be done at which point. `passed` counts how often the seeds came by each, `done` what was ended."""

    url: str = ""
    point: str = ""
    times: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    done: int = 0


_current = Terminator()


def arm(url: str, point: str = "", times: int = 1) -> Terminator:
    """From now on, terminate whoever comes by the point, so many times, by a connection to this URL."""
    global _current
    _current = Terminator(url, point, times)
    return _current


def passing(db: Db, point: str) -> None:
    """A seed comes by: its connection may be gone when this returns."""
    _current.passed[point] += 1
    if point == _current.point and _current.passed[point] <= _current.times:
        pid = db.scalar("select pg_backend_pid()")
        with psycopg.connect(_current.url, autocommit=True) as administrator:
            administrator.execute("select pg_terminate_backend(%s, 60000)", [pid])
        _current.done += 1
