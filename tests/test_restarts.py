"""The server crashes, or is restarted at once, at any message of an apply: each seed is whole or not there at all."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import ProjectFactory
from tests.figures import Figures
from tests.machines import Machine, machine
from tests.proxy import Proxy, places, proxied
from tests.running import verify
from tests.two_seeds import SEEDS, TABLES, Rig

# Durable, as a server that may crash has to be; the other test servers do without.
_DURABLE = {"fsync": "on", "full_page_writes": "on", "restart_after_crash": "on"}


@pytest.fixture(scope="module")
def crashing() -> Iterator[Machine]:
    with machine(settings=_DURABLE) as started:
        yield started


@pytest.fixture
def proxy(crashing: Machine) -> Iterator[tuple[Proxy, Path]]:
    with proxied(crashing.server.socket_dir) as relay:
        yield relay


@pytest.fixture
def rig(
    project: ProjectFactory, crashing: Machine, proxy: tuple[Proxy, Path], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Rig]:
    run_on(crashing, "create database shop", dbname="postgres")
    run_on(crashing, TABLES)
    relay, folder = proxy
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/shop?host={folder}")
    yield Rig(project(SEEDS), lambda query: run_on(crashing, query), relay, monkeypatch)
    run_on(crashing, "drop database shop with (force)", dbname="postgres")


def run_on(server: Machine, query: str, *, dbname: str = "shop") -> list[tuple[Any, ...]]:
    """By a connection of its own, as none outlives a crash; again, until the server is there to answer."""
    while True:
        try:
            with closing(psycopg.connect(server.url(dbname), autocommit=True)) as connection:
                cursor = connection.execute(query.encode())
                return cursor.fetchall() if cursor.description else []
        except psycopg.OperationalError:
            time.sleep(0.01)


def processes(server: Machine, kind: str) -> set[int]:
    """The server's processes of a kind, less the one that answers."""
    found = run_on(
        server, f"select pid from pg_stat_activity where backend_type = '{kind}' and pid <> pg_backend_pid()"
    )
    return {pid for (pid,) in found}


def kill_a_backend(server: Machine) -> bool:
    """SIGKILL the run's backend, if it has one; the server then ends all others, and recovers."""
    killed = False
    for pid in processes(server, "client backend"):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed = True
    return killed


@pytest.mark.promise(
    "the server is restarted at once (`-m immediate`), or one backend's death takes all others with it",
    "each seed is whole or not there at all; the run waits for the server and goes on, each seed applied once",
)
@pytest.mark.parametrize("how", ["restart", "kill -9 of a backend"])
@pytest.mark.parametrize("empty", [True, False], ids=["empty database", "seeded database"])
def test_a_server_may_crash_at_any_message(
    empty: bool, how: str, rig: Rig, crashing: Machine, rounds: Callable[[int], int], tell: Figures
) -> None:
    messages = rig.undisturbed(empty=empty)
    chosen = places(messages, rounds(5))
    with ThreadPoolExecutor() as pool:
        restarts: list[Future[None]] = []

        def crash() -> None:
            if how == "restart":
                crashing.crash()
                restarts.append(pool.submit(crashing.start))  # the message goes on to a server that is gone
            else:
                before = processes(crashing, "checkpointer")
                if kill_a_backend(crashing):
                    restarts.append(pool.submit(recovered, before))

        def recovered(before: set[int]) -> None:
            while processes(crashing, "checkpointer") <= before:
                time.sleep(0.01)

        def up_again() -> None:
            while restarts:
                restarts.pop().result(60)

        for where in chosen:
            report = rig.round(replace(where, how=crash), empty=empty, wait_s=100, then=up_again)
            assert report.exit_code == 0, (where, report.as_dict())
    assert verify(rig.folder).exit_code == 0
    tell(f"{len(chosen)} crashes ({how}), 0 noticed by the user")
