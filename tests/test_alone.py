"""What is installed beside seedframe is seen by no test, neither in this process nor in those that it starts."""

import os
from pathlib import Path

import pytest

from seedframe.plugins.offered import offers
from tests import alone
from tests.conftest import ProjectFactory
from tests.installing import Site


def test_what_is_installed_beside_is_hidden(
    tmp_path: Path, project: ProjectFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, own = Site(tmp_path / "beside"), Site(tmp_path / "own")
    beside.install("seedframe-beside", points={"10_beside": "nowhere"})
    own.install("seedframe-own", points={"20_own": "nowhere"})
    for site in (beside, own):
        monkeypatch.syspath_prepend(str(site.path))
    environment = {"PYTHONPATH": os.pathsep.join([str(beside.path), str(own.path)])}
    folder = project()
    assert {offer.name for offer in offers()} == {"seedframe-beside", "seedframe-own"}
    assert "seedframe-beside 1.2.0" in folder.run("plugins", env=environment).stdout

    metadata = os.path.realpath(beside.path / "seedframe_beside-1.2.0.dist-info")
    monkeypatch.setattr(alone, "_BESIDE", (metadata, *alone._BESIDE))
    alone.hide(monkeypatch)
    assert {offer.name for offer in offers()} == {"seedframe-own"}
    listed = folder.run("plugins", env=environment).stdout
    assert "seedframe-own 1.2.0" in listed
    assert "seedframe-beside" not in listed
