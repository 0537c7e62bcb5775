"""A plugin that was uninstalled: `apply` refuses, `verify` goes on and says what is missing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seedframe import Project
from seedframe.cli.main import main
from seedframe.errors import DiscoveryError
from seedframe.plugins.uninstalled import plugin_of
from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.installing import Site, on_path
from tests.running import apply, verify

PLUGIN = """
from seedframe import Rows

WRITES = ["countries"]

def resources():
    yield Rows("countries", key="code", rows=[{"code": "FR", "name": "France"}])
"""
LOCAL = "from seedframe import Rows\ndef resources():\n    yield Rows('shops', key='id', rows=[{'id': 1}])\n"
ALLOW = '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-acme>=1,<2"]\n'

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path / "site")
    made.install("seedframe-acme", points={"20_acme": "acme_seed"}, files={"acme_seed.py": PLUGIN})
    with on_path(made.path, monkeypatch):
        yield made


@pytest.fixture
def shop(project: ProjectFactory, site: Site, sql: Sql) -> Folder:
    """A project with a plugin's seed, applied."""
    sql("create table countries (code text primary key, name text); create table shops (id int primary key)")
    folder = project({"seeds/10_shops.py": LOCAL}, config=ALLOW)
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0
    return folder


@pytest.fixture
def say(shop: Folder, capsys: pytest.CaptureFixture[str]) -> Say:
    def say(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--config", str(shop.path)])
        return code, *capsys.readouterr()

    return say


def statuses(report: Report) -> list[tuple[str, str, str]]:
    return [(outcome.seed, outcome.origin, outcome.status.value) for outcome in report.seeds]


ORPHAN = ("acme", "seedframe-acme 1.2.0", "orphan")


def test_apply_refuses_and_verify_says_what_is_missing(shop: Folder, site: Site, say: Say) -> None:
    site.uninstall("seedframe-acme")
    for command in (["apply"], ["apply", "--dry-run"], ["apply", "--rehearse"]):
        code, _, err = say(*command)
        assert code == 3
        assert "plugin seedframe-acme: [plugins] allow names seedframe-acme>=1,<2, and it is not installed" in err
    report = verify(shop)
    assert report.exit_code == 2
    assert report.error is None
    assert report.status.value == "orphan"
    assert statuses(report) == [("10_shops", "seeds/10_shops.py", "in_sync"), ORPHAN]
    code, out, err = say("verify")
    assert code == 2
    assert "seed acme was applied from seedframe-acme 1.2.0, which is not installed any more: install it again" in out
    code, out, _ = say("verify", "--format", "json")
    document = json.loads(out)
    assert (code, document["exit_code"], document["status"], document.get("error")) == (2, 2, "orphan", None)
    assert document["seeds"][1]["status"] == "orphan"
    assert document["seeds"][1]["resources"] == [
        {**document["seeds"][1]["resources"][0], "resource": "rows:countries", "verdict": "orphan"}
    ]
    site.install("seedframe-acme", points={"20_acme": "acme_seed"}, files={"acme_seed.py": PLUGIN})
    assert verify(shop).exit_code == 0


def test_where_the_ledger_knows_nothing_it_cannot_be_told(shop: Folder, site: Site, say: Say) -> None:
    config = ALLOW.replace('"]', '", "seedframe-geo"]')
    shop.write({"seedframe.toml": config})
    report = verify(shop)
    assert report.exit_code == 3
    assert statuses(report)[0] == ("10_shops", "seeds/10_shops.py", "in_sync")
    assert report.error is not None
    assert report.error.code == "plugin_missing"
    assert report.error.message.startswith("plugin seedframe-geo: ")
    assert say("verify")[0] == 3
    site.uninstall("seedframe-acme")
    assert verify(shop).exit_code == 2  # what is known to be wrong is worse than what is not known
    shop.write({"seedframe.toml": config.replace('", "', '", "seedframe-more", "')})
    document = json.loads(say("verify", "--format", "json")[1])
    assert document["exit_code"] == 2
    told = [document["error"], *document["errors"]] if "errors" in document else [document["error"]]
    assert {error["message"].split(":")[0] for error in told} == {"plugin seedframe-geo", "plugin seedframe-more"}


def test_the_seeds_that_need_what_is_missing_are_still_compared(shop: Folder, site: Site, sql: Sql) -> None:
    shop.write({"seeds/30_more.py": "REQUIRES = ['acme']\n" + LOCAL.replace("'id': 1", "'id': 2")})
    with (shop.path / "seedframe.toml").open("a") as file:
        file.write("[seeds.acme]\nenabled = true\n")
    assert apply(shop).exit_code == 0
    site.uninstall("seedframe-acme")
    sql("delete from shops where id = 2")
    report = verify(shop)
    assert report.exit_code == 2
    assert [status for _, _, status in statuses(report)] == ["in_sync", "drift", "orphan"]
    sql("delete from seedframe.applied_seed where seed = 'acme'")
    with pytest.raises(DiscoveryError) as caught:
        verify(shop)
    assert "plugin seedframe-acme: " in str(caught.value)
    assert "requires 'acme', which is neither chosen nor applied" in str(caught.value)


def test_where_all_seeds_were_the_plugins(shop: Folder, site: Site, sql: Sql) -> None:
    (shop.path / "seeds" / "10_shops.py").unlink()
    sql("delete from seedframe.applied_seed where seed = 'shops'")
    site.uninstall("seedframe-acme")
    report = verify(shop)
    assert (report.exit_code, statuses(report)) == (2, [ORPHAN])
    sql("drop schema seedframe cascade")
    report = verify(shop)
    assert (report.exit_code, statuses(report)) == (3, [])


Change = Callable[[Folder, Site], None]


def allow(text: str) -> Change:
    """seedframe.toml with nothing else."""
    return lambda shop, _: shop.write({"seedframe.toml": f'[project]\nname = "shop"\n{text}'})


def another(points: dict[str, str]) -> Change:
    """Another version of the plugin."""

    def change(_: Folder, site: Site) -> None:
        site.uninstall("seedframe-acme")
        site.install(
            "seedframe-acme", "1.3.0", points, {"acme_later.py": "def seedframe_configure(config):\n    pass\n"}
        )

    return change


def uninstalled(_: Folder, site: Site) -> None:
    site.uninstall("seedframe-acme")


def nothing_else(_: Folder, __: Site) -> None:
    pass


# Why no seed is left: what becomes of the project and of the plugin, options, and what is said of the plugin's seed.
NONE_LEFT: dict[str, tuple[list[Change], list[str], str]] = {
    "uninstalled": ([uninstalled], [], "which is not installed any more: install it again"),
    "uninstalled, and allowed no more": ([uninstalled, allow("")], [], "which is not allowed any more: put it back"),
    "allowed no more": ([allow("[plugins]\nallow = []\n")], [], "which is not allowed any more: put it back"),
    "left out": ([nothing_else], ["-p", "no:seedframe-acme"], "which takes no part (-p no:seedframe-acme): let it"),
    "its seed left out": ([nothing_else], ["-p", "no:acme"], "of which it was left out (-p): let it take part"),
    "another seed's name": ([another({"more": "acme_later"})], [], "and seedframe-acme 1.3.0 has it no more: install"),
    "no entry point": ([another({})], [], "and seedframe-acme 1.3.0 offers nothing: install that version again"),
}


def without_its_own(shop: Folder, sql: Sql) -> None:
    """The project with no seed but the plugin's, as if it never had one."""
    (shop.path / "seeds" / "10_shops.py").unlink()
    sql("delete from seedframe.applied_seed where seed = 'shops'")


@pytest.mark.parametrize(("changes", "options", "why"), NONE_LEFT.values(), ids=NONE_LEFT)
def test_where_no_seed_is_left_those_that_were_applied_are_named(
    changes: list[Change], options: list[str], why: str, shop: Folder, site: Site, say: Say, sql: Sql
) -> None:
    without_its_own(shop, sql)
    for change in changes:
        change(shop, site)
    code, out, err = say("verify", *options)
    assert code == 2, err
    assert f"seed acme was applied from seedframe-acme 1.2.0, {why}" in out
    assert "`seedframe forget acme`; its rows stay" in out
    document = json.loads(say("verify", *options, "--format", "json")[1])
    assert (document["exit_code"], document["status"], document.get("error")) == (2, "orphan", None)
    assert [seed["seed"] for seed in document["seeds"]] == ["acme"]
    code, out, _ = say("history", *options)
    assert code == 0
    assert f"warning: seed acme was applied from seedframe-acme 1.2.0, {why}" in out
    for mode in ([], ["--dry-run"], ["--rehearse"]):
        code, out, err = say("apply", *mode, *options)
        assert (code, out) == (3, "")
        what, _, hint = why.partition(": ")
        missing = "plugin seedframe-acme: [plugins] allow names seedframe-acme>=1,<2, and it is not installed or offers"
        assert missing in err or f"error: seed acme was applied from seedframe-acme 1.2.0, {what}\n hint: {hint}" in err


def test_where_nothing_was_applied_there_are_no_seeds(shop: Folder, say: Say, sql: Sql) -> None:
    (shop.path / "seeds" / "10_shops.py").unlink()
    allow("")(shop, Site(shop.path / "none"))
    sql("delete from seedframe.applied_seed")
    for arrange in ("select 1", "drop schema seedframe cascade"):
        sql(arrange)
        code, out, err = say("verify")
        assert (code, out) == (3, "")
        assert err.startswith("error: no seeds found: seeds/ has no seeds\n hint: `seedframe new seed NAME` writes one")
        assert err.count("error: ") == 1
        assert say("apply") == (3, "", err)


def test_where_the_ledger_cannot_be_asked_there_are_no_seeds(
    shop: Folder, site: Site, say: Say, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_its_own(shop, sql)
    allow("")(shop, site)
    nothing = "error: no seeds found: seeds/ has no seeds\n hint: `seedframe new seed NAME` writes one"
    assert say("verify", "--skip", "acme")[2].count("error: ") == 1  # something else was asked
    sql("update seedframe.ledger set version = 10000")
    code, _, err = say("verify")
    assert code == 3
    assert err.startswith(nothing)
    assert "error: the ledger" in err
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nowhere")
    code, _, err = say("verify")
    assert code == 3
    assert err.startswith(nothing)
    assert "error: no PostgreSQL server answers at 127.0.0.1:1" in err
    document = json.loads(say("verify", "--format", "json")[1])
    assert [error["code"] for error in document["errors"]] == ["no_seeds", "connection"]
    code, _, err = say("apply")
    assert code == 3
    assert err.startswith(nothing)
    assert err.count("error: ") == 1


def test_to_find_no_seeds_no_database_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "seedframe.toml").write_text('[database]\nurl = "embedded"\n')
    for command in (["verify"], ["apply", "--dry-run"]):
        assert main([*command, "--config", str(tmp_path)]) == 3
        assert "no seeds found" in capsys.readouterr().err
    assert not (tmp_path / ".seedframe").exists()


def test_where_none_of_the_seeds_runs_here_those_that_are_gone_are_named(shop: Folder, site: Site, say: Say) -> None:
    shop.write({"seeds/10_shops.py": "ENVIRONMENTS = ['production']\n" + LOCAL})
    assert say("verify")[0] == 0
    for change in (uninstalled, allow("")):
        change(shop, site)
    code, out, _ = say("verify")
    assert code == 2
    assert "seed acme was applied from seedframe-acme 1.2.0" in out
    assert "shops" not in out.replace("shop ·", "")


def test_apply_of_the_others_says_which_are_gone(shop: Folder, site: Site, say: Say) -> None:
    for change in (uninstalled, allow("")):
        change(shop, site)
    why = "seed acme was applied from seedframe-acme 1.2.0, which is not allowed any more: put it back"
    for mode in ([], ["--dry-run"], ["--dry-run", "--detailed-exitcode"], ["--rehearse"], ["--strict"]):
        code, out, _ = say("apply", *mode)
        assert code == 0
        assert f"\nwarning: {why}" in out
        document = json.loads(say("apply", *mode, "--format", "json")[1])
        assert document["status"] == "in_sync"
        (finding,) = document["findings"]
        assert finding["severity"] == "warning"
        assert finding["text"].startswith(why)
        assert [seed["seed"] for seed in document["seeds"]] == ["10_shops"]
    assert "acme" not in say("apply", "shops")[1]
    (finding,) = json.loads(say("history", "--format", "json")[1])["findings"]
    assert finding["text"].startswith(why)
    assert say("forget", "acme")[0] == 0
    for command in ("apply", "history", "verify"):
        code, out, _ = say(command)
        assert (code, "seed acme was applied" in out) == (0, False)
    assert "findings" not in json.loads(say("history", "--format", "json")[1])


def test_one_that_is_named_is_not_found(shop: Folder, site: Site) -> None:
    site.uninstall("seedframe-acme")
    with pytest.raises(DiscoveryError, match="plugin seedframe-acme: ") as caught:
        verify(shop, "acme")
    assert "no seed is called 'acme'" in str(caught.value)
    assert verify(shop, "shops").exit_code == 3  # what was not looked at may be wrong


def test_other_reasons_why_a_seed_is_gone(shop: Folder, site: Site) -> None:
    def said(**options: list[str]) -> str:
        report = Project.load(shop.path, **options).verify()  # type: ignore[arg-type]
        assert report.exit_code == 2
        (finding,) = report.seeds[-1].findings
        return finding.text

    assert "which takes no part (-p no:seedframe-acme)" in said(disabled=["seedframe-acme"])
    assert "of which it was left out (-p)" in said(disabled=["acme"])
    shop.write({"seedframe.toml": '[project]\nname = "shop"\n'})
    assert "which is not allowed any more" in said()
    shop.write({"seedframe.toml": '[project]\nname = "shop"\n[plugins]\nallow = ["other"]\n'})
    assert "which takes no part ([plugins] allow does not name it)" in said(disabled=["other"])
    shop.write({"seedframe.toml": ALLOW})
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.3.0", {"20_another": "acme_seed2"}, {"acme_seed2.py": PLUGIN})
    report = verify(shop)
    assert (
        report.seeds[-1]
        .findings[0]
        .text.startswith("seed acme was applied from seedframe-acme 1.2.0, and seedframe-acme 1.3.0 has it no more")
    )
    (shop.path / "seeds" / "10_shops.py").unlink()
    assert "seed shops was applied from seeds/10_shops.py and is gone: put it back" in [
        finding.text.partition(", or")[0] for outcome in verify(shop).seeds for finding in outcome.findings
    ]


@pytest.mark.parametrize(
    ("origin", "plugin"),
    [
        ("seedframe-acme 1.2.0", "seedframe-acme"),
        ("acme 1!2.0+local", "acme"),
        ("seeds/10_x.py", None),
        ("/home/a b/seeds/10_x.py", None),
        ("seeds 2.py", None),
    ],
)
def test_what_an_origin_says(origin: str, plugin: str | None) -> None:
    assert plugin_of(origin) == plugin
