"""Runs the telehealth platform's migrations on the database that DATABASE_URL (or else libpq's own variables) names."""

import os

import psycopg
from alembic import context
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool


def conninfo(url: str) -> str:
    """DATABASE_URL as libpq takes it: SQLAlchemy's name of the driver is dropped, all else is passed on unread."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}" if separator else url


def migrate() -> None:
    """All pending migrations, or none of them: one transaction."""
    database = conninfo(os.environ.get("DATABASE_URL", ""))
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database), poolclass=NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()


def script() -> None:
    """`alembic upgrade head --sql`: the same, as a script for whoever runs it by hand."""
    context.configure(dialect_name="postgresql")
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    script()
else:
    migrate()
