"""What a proof of convergence says has no secrets: not in its errors, nor in what it returns."""

import pytest

from seedframe.testing import ConvergenceError, SeedRunner

# As long as a secret is, and in no other text.
TOKEN = "topsecret" + "value"
CARELESS = """
from seedframe import Change, Changes, Secret, Setting
SETTINGS = [Setting("KIT_TOKEN", Secret)]
class Token:
    name = "token:x"
    tables = ("items",)
    managed_columns = ("name",)
    def __init__(self, token): self.token = token
    def describe(self): return "a token"
    def diff(self, db):
        found = db.scalar("select count(*) from items where sku = 'x'")
        return Changes.of([] if found else [Change("create", {"sku": "x"}, None, {"name": "?"})], unchanged=found)
    def delete(self, db, changes): pass
    def write(self, db, changes):
        for _ in changes.sample: db.execute("insert into items values ('x', :name)", name=self.token)
def resources(settings):
    yield Token(settings["KIT_TOKEN"].reveal())
"""
SECRET_COLUMN = """
from seedframe import Rows, Secret, Setting
SETTINGS = [Setting("KIT_TOKEN", Secret)]
def resources(settings):
    rows = [{"sku": "x", "name": settings["KIT_TOKEN"]}, {"sku": "y", "name": "made" + "secretly"}]
    yield Rows("items", key="sku", secret=["name"], rows=rows)
"""
BROKEN = SECRET_COLUMN + "def verify(db):\n    if db.scalar(\"select max(name) from items\"): yield 'x'\n"


@pytest.fixture
def items(seedframe_project: SeedRunner) -> SeedRunner:
    seedframe_project.database.execute("create table items (sku text primary key, name text)")
    seedframe_project.variables["KIT_TOKEN"] = TOKEN
    return seedframe_project


@pytest.mark.parametrize("code", [CARELESS, BROKEN])
def test_an_error_has_no_secret(items: SeedRunner, code: str) -> None:
    items.write({"seeds/10_token.py": code})
    with pytest.raises(ConvergenceError) as caught:
        items.assert_converges()
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(caught.value)
    assert "madesecretly" not in str(caught.value)


def test_what_was_proven_has_no_secret(items: SeedRunner) -> None:
    items.write({"seeds/10_token.py": SECRET_COLUMN})
    done = items.assert_converges()
    assert [mutation.before for mutation in done.mutated] == [TOKEN]
    assert TOKEN not in repr(done) + str(done)
