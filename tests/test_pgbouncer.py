"""The pooler of the tests is what it says it is: a PgBouncer in transaction mode."""

import contextlib

import psycopg

from tests.conftest import Sql


def test_a_connection_to_the_server_goes_to_whoever_begins_a_transaction(pooled: str, sql: Sql) -> None:
    """Sessions mean nothing here: their locks and settings would be those of others too."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(pooled, autocommit=True)) for _ in range(8)]
        seen = {client.execute("select pg_backend_pid()").fetchone() for client in clients}
        assert len(seen) < len(clients)
        assert {pid for row in seen if row is not None for pid in row} <= {
            pid for (pid,) in sql("select pid from pg_stat_activity")
        }
