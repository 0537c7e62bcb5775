"""What a careless or hostile hook can get hold of: the connections behind `db`."""

import gc
from typing import Any

import psycopg
import sqlalchemy

from seedframe import Db


def raw(db: Db) -> psycopg.Connection[Any]:
    """psycopg's connection, by attributes."""
    driver = db._session.sqlalchemy.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def found(db: Db) -> psycopg.Connection[Any]:
    """psycopg's connection, by going through all objects there are."""
    pid = db.scalar("select pg_backend_pid()")
    return next(
        each
        for each in gc.get_objects()
        if type(each) is psycopg.Connection and not each.closed and each.info.backend_pid == pid
    )


def alchemy(db: Db) -> sqlalchemy.Connection:
    """SQLAlchemy's connection."""
    return db._session.sqlalchemy
