"""Environments: which of them count as production, and seeds and rows that are limited to some of them."""

import pytest

from seedframe import Project
from seedframe.errors import ConfigError
from tests.conftest import ProjectFactory


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
