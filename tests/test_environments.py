"""Environments: which of them count as production, and seeds and rows that are limited to some of them."""

from pathlib import Path
from typing import Any

import pytest

from seedframe import Project, Rows
from seedframe.errors import ConfigError, DeclarationError, DiscoveryError
from seedframe.options import ApplyOptions
from seedframe.report import Report, Status
from tests.conftest import ProjectFactory, Sql
from tests.running import apply, dry_run, error, only, verify


@pytest.mark.parametrize(
    ("env", "said", "expected"),
    [
        ("production", "", True),
        ("Production", "", True),
        ("prod", "", True),
        ("PROD", "", True),
        ("live", "", False),
        ("development", "", False),
        ("preprod", "", False),
        ("live", "[env.live.project]\nproduction = true\n", True),
        ("production", "[env.production.project]\nproduction = false\n", False),
        ("development", "[project]\nproduction = true\n", True),
        ("staging", "[project]\nproduction = true\n[env.staging.project]\nproduction = false\n", False),
        ("staging", "[env.production.project]\nproduction = true\n[env.staging]\n", False),
    ],
)
def test_what_counts_as_production(project: ProjectFactory, env: str, said: str, expected: bool) -> None:
    said = said if "[env." in said else f"{said}[env.{env}]\n"
    assert Project.load(project(config=said).path, env=env).config.production is expected


def test_production_is_true_or_false(project: ProjectFactory) -> None:
    with pytest.raises(ConfigError, match=r"project\.production: expected true or false, found a text"):
        Project.load(project(config='[project]\nproduction = "yes"\n').path)


@pytest.mark.parametrize("env", ["prodution", "Prodcution", "producton"])
def test_a_slip_in_production_is_one_whatever_the_file_says(project: ProjectFactory, env: str) -> None:
    with pytest.raises(ConfigError, match="did you mean 'production'"):
        Project.load(project().path, env=env)
    assert Project.load(project(config=f"[env.{env}]\n").path, env=env).config.production is False


@pytest.mark.parametrize("env", ["preprod", "pre-production", "prod", "test", "demo", "uat", "staging"])
def test_other_names_are_no_slips(project: ProjectFactory, env: str) -> None:
    assert Project.load(project().path, env=env).config.env == env


# Seeds that are limited to environments

ENVIRONMENTS = """
[project]
name = "shop"
[env.staging]
[env.production]
"""

DEMO = """
from seedframe import Rows

ENVIRONMENTS = {"development", "staging"}

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "demo", "name": "1"}])
"""
CORE = DEMO.replace('ENVIRONMENTS = {"development", "staging"}\n', "").replace("demo", "core")


@pytest.fixture
def items(sql: Sql) -> None:
    sql("create table items (sku text primary key, name text)")


def test_a_seed_runs_where_it_may(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project({"seeds/10_core.py": CORE, "seeds/20_demo.py": DEMO}, config=ENVIRONMENTS)
    report = apply(folder, env="production")
    assert [seed.seed for seed in report.seeds] == ["10_core"]
    assert verify(folder, env="production").exit_code == 0
    assert sql("select sku from items") == [("core",)]
    listed = folder.run("list", "--env", "production")
    assert "only in development, staging, not in production" in listed.stdout
    refused = folder.run("apply", "demo", "--env", "production")
    assert (refused.returncode, "does not run in 'production'" in refused.stderr) == (3, True)


def test_a_seed_that_may_not_run_here_any_more_is_no_orphan(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project({"seeds/10_core.py": CORE, "seeds/20_demo.py": DEMO.replace("development", "production")},
                     config=ENVIRONMENTS)  # fmt: skip
    assert apply(folder, env="production").exit_code == 0
    folder.write({"seeds/20_demo.py": DEMO})
    assert verify(folder, env="production").exit_code == 0
    assert sql("select count(*) from items") == [(2,)]


def test_the_file_says_where_a_seed_runs_and_an_overlay_says_it_once_more(
    project: ProjectFactory, sql: Sql, items: None
) -> None:
    config = ENVIRONMENTS + '[seeds.demo]\nenvironments = ["staging"]\n'
    folder = project({"seeds/10_core.py": CORE, "seeds/20_demo.py": DEMO}, config=config)
    assert [seed.seed for seed in dry_run(folder).seeds] == ["10_core"]
    assert [seed.seed for seed in apply(folder, env="staging", dry_run=True).seeds] == ["10_core", "20_demo"]
    folder.write({"seedframe.toml": f'{config}[env.production.seeds.demo]\nenvironments = ["production"]\n'})
    assert [seed.seed for seed in apply(folder, env="production", dry_run=True).seeds] == ["10_core", "20_demo"]


def test_a_requirement_that_does_not_run_here_is_told(project: ProjectFactory, items: None) -> None:
    folder = project(
        {"seeds/10_demo.py": DEMO, "seeds/20_core.py": 'REQUIRES = ["demo"]\n' + CORE}, config=ENVIRONMENTS
    )
    assert dry_run(folder).exit_code == 0
    done = folder.run("apply", "--env", "production")
    assert done.returncode == 3
    assert "requires 'demo', which is neither chosen nor applied yet" in done.stderr
    assert "it is for development, staging" in done.stderr


@pytest.mark.parametrize(
    ("seed", "config", "where"),
    [
        (DEMO.replace("staging", "stagging"), "", "seeds/10_demo.py: ENVIRONMENTS"),
        (DEMO, '[seeds.demo]\nenvironments = ["prod"]\n', "[seeds.demo] environments"),
        (DEMO.replace("staging", "two words"), "", "seeds/10_demo.py: ENVIRONMENTS"),
    ],
)
def test_an_environment_that_could_not_be_chosen_is_a_mistake(
    project: ProjectFactory, items: None, seed: str, config: str, where: str
) -> None:
    """Else a slip of the pen would quietly leave the seed out."""
    folder = project({"seeds/10_demo.py": seed, "seeds/20_core.py": CORE}, config=ENVIRONMENTS + config)
    for run in (apply, verify):
        with pytest.raises(DiscoveryError, match="environment") as refused:
            run(folder)
        assert refused.value.where == where
    if "prod" in config:
        folder.write({"seedframe.toml": f"{ENVIRONMENTS}[env.prod]\n{config}"})
        assert [seed.seed for seed in dry_run(folder).seeds] == ["20_core"]


# Rows that are limited to environments

SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a", "name": "1"}])
    yield Rows("items", key="sku", name="demo", %s, environments={"development", "staging"}%s)
"""


def demo(skus: str, more: str = "") -> dict[str, str]:
    rows = ", ".join(f'{{"sku": "{sku}", "name": "1"}}' for sku in skus)
    return {"seeds/10_items.py": SEED % (f"rows=[{rows}]", more)}


def skipped(report: Report) -> dict[str, str | None]:
    return {resource.resource: resource.changes.skipped_reason for resource in only(report).resources}


REASON = "only in development, staging"


@pytest.mark.parametrize("options", [{}, {"dry_run": True}, {"rehearse": True}, {"transaction": "run"}])
def test_rows_are_skipped_elsewhere_and_say_why(
    project: ProjectFactory, sql: Sql, items: None, options: dict[str, Any]
) -> None:
    folder = project(demo("bc"), config=ENVIRONMENTS)
    report = apply(folder, env="production", **options)
    assert (report.exit_code, report.summary.create) == (0, 1), report.as_dict()
    assert skipped(report) == {"rows:items": None, "rows:demo": REASON}
    (_, told) = report.as_dict()["seeds"][0]["resources"]
    assert (told["skipped_reason"], told["verdict"]) == (REASON, None)


def test_rows_are_there_where_they_may_be(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(demo("bc"), config=ENVIRONMENTS)
    for run in (apply, verify):
        report = run(folder, env="staging")
        assert (report.exit_code, skipped(report)["rows:demo"]) == (0, None)
    assert sql("select sku from items order by 1") == [("a",), ("b",), ("c",)]


def test_elsewhere_nothing_of_them_is_read_compared_or_removed(project: ProjectFactory, sql: Sql, items: None) -> None:
    """They were there once; then they were limited to other environments, with all that would change or remove them."""
    everywhere = SEED.replace(', environments={"development", "staging"}', "")
    folder = project({"seeds/10_items.py": everywhere % ('rows=[{"sku": "b", "name": "1"}]', ", prune=True")},
                     config=ENVIRONMENTS)  # fmt: skip
    assert apply(folder, env="production").exit_code == 0
    sql("update items set name = 'hand' where sku = 'b'")
    kept = sql(
        "select to_jsonb(b), to_jsonb(o) from seedframe.baseline b join seedframe.owned_row o on o.baseline_id = b.id"
    )
    assert kept
    sync = 'rows=[{"sku": "c", "name": "1"}], mode="sync", where="sku <> \'a\'", validate={"name": "name = \'no\'"}'
    missing, raising = 'file="data/gone.csv"', "rows=lambda: 1 / 0"
    for source in ("rows=[], prune=True", sync, missing, raising):
        folder.write({"seeds/10_items.py": SEED % (source, "")})
        for run in (verify, apply, verify):
            report = run(folder, env="production")
            assert report.exit_code == 0, report.as_dict()
            assert skipped(report)["rows:demo"] == REASON
            assert only(report).findings == ()
    assert sql("select sku, name from items order by 1") == [("a", "1"), ("b", "hand")]
    assert kept == sql(
        "select to_jsonb(b), to_jsonb(o) from seedframe.baseline b join seedframe.owned_row o on o.baseline_id = b.id"
    )


def test_a_table_that_is_only_elsewhere_need_not_be_there(project: ProjectFactory, items: None) -> None:
    folder = project(demo("b"), config=ENVIRONMENTS)
    folder.write(
        {"seeds/10_items.py": (SEED % ("rows=[{}]", "")).replace('"items", key="sku", name', '"gone", key="sku", name')}
    )
    assert apply(folder, env="production").exit_code == 0
    assert apply(folder, env="production", dry_run=True).exit_code == 0


def test_the_same_objects_may_serve_several_runs(project: ProjectFactory, sql: Sql, items: None) -> None:
    """A Rows that was compared in one environment, and is asked again in another, where it is skipped."""
    text = SEED % ('rows=[{"sku": "b", "name": "1"}]', "")
    shared = text.replace("def resources():\n    yield", "ALL = [").replace("    yield", ",")
    folder = project({"seeds/10_items.py": f"{shared}]\n\ndef resources():\n    return ALL\n"}, config=ENVIRONMENTS)
    here = Project.load(folder.path, env="development")
    there = Project(Project.load(folder.path, env="production").config, here.seeds, here.plugins)
    assert here.apply(ApplyOptions(dry_run=True)).summary.create == 2
    report = there.apply(ApplyOptions())
    assert (report.exit_code, report.summary.create) == (0, 1), report.as_dict()
    assert sql("select sku from items") == [("a",)]
    assert there.verify().exit_code == 0


REFERRING = """
from seedframe import Rows, ref

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "b", "name": "1"}], environments={"staging"})
    yield Rows("parts", key="id", rows=[{"id": 1, "item": ref("items", sku="b")}])
"""


@pytest.mark.parametrize("options", [{}, {"dry_run": True}])
@pytest.mark.parametrize("apart", [False, True])
def test_a_reference_to_rows_that_are_elsewhere_says_so(
    project: ProjectFactory, sql: Sql, items: None, options: dict[str, Any], apart: bool
) -> None:
    sql("create table parts (id int primary key, item text references items)")
    first, second = REFERRING.split('    yield Rows("parts"')
    head = "from seedframe import Rows, ref\n\ndef resources():\n"
    files = {"seeds/10_a.py": first, "seeds/20_b.py": f'{head}    yield Rows("parts"{second}'}
    folder = project(files if apart else {"seeds/10_a.py": REFERRING}, config=ENVIRONMENTS)
    report = apply(folder, env="production", **options)
    assert report.exit_code == 1
    told = error(report)
    assert "ref: " in told
    assert "no row of" in told
    assert "rows:items is only in staging: limit these rows likewise, or declare that row where they are" in told
    assert "\n" not in told
    sql("insert into items values ('b', 'by hand')")
    assert apply(folder, env="production").exit_code == 0  # what counts is whether the row is there


def test_a_reference_to_nothing_is_told_as_ever(project: ProjectFactory, sql: Sql, items: None) -> None:
    sql("create table parts (id int primary key, item text references items)")
    text = REFERRING.replace(', environments={"staging"}', "").replace('sku="b")', 'sku="x")')
    told = error(apply(project({"seeds/10_a.py": text}, config=ENVIRONMENTS), env="production"))
    assert "declare that row in this seed or an earlier one" in told


def test_a_reference_to_what_a_seed_writes_that_is_not_required_says_so(
    project: ProjectFactory, sql: Sql, items: None
) -> None:
    sql("create table parts (id int primary key, item text references items)")
    head = "from seedframe import Rows, ref\n"
    one, two = (part.replace(', environments={"staging"}', "") for part in REFERRING.split('    yield Rows("parts"'))
    parts = f'def resources():\n    yield Rows("parts"{two}'
    folder = project(
        {
            "seeds/10_a.py": f'WRITES = ["items"]\n{one}',
            "seeds/20_b.py": f"{head}{parts}",
            "seeds/30_c.py": 'WRITES = ["items"]\ndef verify(): pass\n',
        },
        config=ENVIRONMENTS,
    )
    for report in (dry_run(folder, "b"), apply(folder, "b"), verify(folder, "b")):
        told = error(report)
        assert "no row of" in told
        assert 'seed a writes items: add "a" to REQUIRES, or correct the reference' in told
    folder.write({"seeds/20_b.py": f'REQUIRES = ["a"]\n{head}{parts}'})
    assert apply(folder).exit_code == 0
    wrong = parts.replace('sku="b"', 'sku="x"')
    folder.write({"seeds/20_b.py": f'REQUIRES = ["a"]\n{head}{wrong}'})
    sql("delete from parts")
    assert "declare that row in this seed or an earlier one" in error(apply(folder))


def test_a_saved_plan_has_what_is_skipped(project: ProjectFactory, sql: Sql, items: None, tmp_path: Path) -> None:
    folder = project(demo("b"), config=ENVIRONMENTS)
    assert apply(folder, env="production").exit_code == 0
    sql("delete from items")
    plan = tmp_path / "plan.json"
    assert apply(folder, env="production", dry_run=True, out=plan).exit_code == 0
    report = Project.load(folder.path, env="production").apply(ApplyOptions(plan=plan))
    assert (report.exit_code, report.summary.create) == (0, 1), report.as_dict()
    assert sql("select sku from items") == [("a",)]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("development", "environments= is a str"),
        (7, "environments= is a int"),
        (frozenset(), "environments= is empty"),
        ([], "environments= is empty"),
        ({"development", 1}, "environments= has a int in it"),
        (["development", ""], "environments= has an empty text in it"),
        ((name for name in ("development",)), "environments= is a generator"),
    ],
)
def test_what_environments_may_be(given: Any, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        Rows("items", key="sku", rows=[], environments=given)
    assert told in str(refused.value)
    assert refused.value.where == "rows:items"


@pytest.mark.parametrize(
    ("name", "meant"), [("prodution", "production"), ("prod", "production"), ("stagging", "staging")]
)
def test_rows_may_only_name_environments_that_could_be_chosen(
    project: ProjectFactory, items: None, name: str, meant: str
) -> None:
    folder = project({"seeds/10_items.py": (SEED % ("rows=[]", "")).replace("staging", name)}, config=ENVIRONMENTS)
    for env in ("development", "production"):
        report = apply(folder, env=env, dry_run=True)
        told = error(report)
        assert f"did you mean '{meant}'?" in told
        assert "environments= of rows:demo" in told
        assert report.exit_code == 1
    folder.write({"seedframe.toml": f"{ENVIRONMENTS}[env.{name}]\n"})
    assert dry_run(folder).exit_code == 0


def test_the_list_says_where_rows_are(project: ProjectFactory, items: None) -> None:
    listed = project(demo("bc"), config=ENVIRONMENTS).run("list", "-v")
    assert REASON in listed.stdout, listed


KIND = """
from seedframe.changes import Changes

class Thing:
    name, tables, environments = "own:thing", (), frozenset({"staging"})
    def describe(self):
        return "a thing"
    def diff(self, db):
        raise AssertionError("asked for")
    delete = write = diff

def resources():
    yield Thing()
"""


def test_a_kind_of_ones_own_is_skipped_alike(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_thing.py": KIND}, config=ENVIRONMENTS)
    for run in (apply, verify):
        assert skipped(run(folder, env="production")) == {"own:thing": "only in staging"}
    assert sql("select count(*) from seedframe.baseline") == [(0,)]
    assert only(apply(folder, env="production", dry_run=True)).status is Status.IN_SYNC
