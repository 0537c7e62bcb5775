"""What a careless or hostile hook can get hold of: the connection behind `db`."""

import gc
from typing import Any

import psycopg

from seedframe import Db


def raw(db: Db) -> psycopg.Connection[Any]:
    """psycopg's connection, by attributes."""
    return db._session._raw


def found(db: Db) -> psycopg.Connection[Any]:
    """psycopg's connection, by going through all objects there are."""
    pid = db.scalar("select pg_backend_pid()")
    return next(
        each
        for each in gc.get_objects()
        if type(each) is psycopg.Connection and not each.closed and each.info.backend_pid == pid
    )
