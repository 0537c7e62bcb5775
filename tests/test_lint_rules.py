"""The rules of `seedframe lint`: the example of each breaks it, where it should; what it says instead breaks none."""

from pathlib import Path

import pytest

from seedframe.linting.rules import BY_CODE, BY_NAME, RULES, Rule
from tests.linted import found, write

# Where the example of each rule breaks it.
PLACES = {
    "SF001": "seeds/10_shop.py:1:15",
    "SF002": "seeds/10_shop.py:3:1",
    "SF003": "seeds/prices.py:1:1",
    "SF004": "seeds/10_shop.py:1:1 seeds/20_shop.py:1:1",
    "SF101": "seeds/10_shop.py:1:5",
    "SF102": "seeds/10_shop.py:1:12",
    "SF103": "seeds/10_shop.py:1:12",
    "SF104": "seeds/10_shop.py:1:1",
    "SF105": "seeds/10_shop.py:1:5",
    "SF106": "seeds/10_shop.py:1:1",
    "SF107": "seeds/10_shop.py:1:1",
    "SF108": "seeds/10_shop.py:1:1",
    "SF109": "seeds/10_shop.py:1:1",
    "SF110": "seeds/20_plans.py:3:21",
    "SF111": "seeds/10_shop.py:1:17",
    "SF112": "src/seedframe_colours/seed.py:1:1",
    "SF113": "pyproject.toml:7:1",
    "SF201": "seeds/10_shop.py:1:13",
    "SF202": "seeds/10_shop.py:1:13",
    "SF203": "seeds/10_shop.py:1:13 seeds/20_plans.py:1:13",
    "SF301": "seedframe.toml:4:1",
    "SF302": "seedframe.toml:5:1",
    "SF303": "seedframe.toml:5:1",
    "SF401": "seeds/10_shop.py:2:5",
    "SF402": "seeds/10_shop.py:5:11",
    "SF403": "seeds/10_shop.py:6:11",
    "SF404": "seeds/10_shop.py:5:32",
    "SF405": "seeds/10_shop.py:6:75",
    "SF406": "seeds/10_shop.py:5:75",
    "SF501": "seeds/10_shop.py:5:44",
    "SF502": "seeds/10_shop.py:5:44",
    "SF503": "seeds/10_shop.py:5:44",
    "SF504": "seeds/products.csv.gz:1:1",
    "SF505": "seeds/products.csv:2:6",
    "SF506": "seeds/products.json:4:1",
    "SF507": "seeds/products.csv:1:1",
    "SF508": "seeds/products.csv:1:10",
    "SF509": "seeds/products.csv:1:5",
    "SF510": "seeds/products.csv:1:1",
    "SF511": "seeds/products.csv:2:1",
    "SF512": "seeds/10_shop.py:10:13",
    "SF513": "seeds/products.csv:2:1",
    "SF514": "seeds/products.csv:3:1",
    "SF515": "seeds/products.csv:2:3",
    "SF516": "seeds/data/old.csv:1:1",
    "SF601": "seeds/10_shop.py:1:12",
    "SF602": "seeds/10_shop.py:1:9",
}
ids = [rule.code for rule in RULES]


def test_every_rule_has_a_place_to_be_found_at() -> None:
    assert list(PLACES) == [rule.code for rule in RULES]
    assert len(BY_CODE) == len(BY_NAME) == len(RULES)
    assert [rule.code for rule in RULES] == sorted(rule.code for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_an_example_breaks_its_rule_and_no_other(rule: Rule, tmp_path: Path) -> None:
    write(tmp_path, rule.example)
    lines = found(tmp_path, select=("SF",)) if not rule.default else found(tmp_path)
    assert {line.split()[1] for line in lines} == {rule.code}, lines
    assert " ".join(line.split()[0] for line in lines) == PLACES[rule.code], lines


@pytest.mark.parametrize("rule", RULES, ids=ids)
def test_what_is_written_instead_breaks_none(rule: Rule, tmp_path: Path) -> None:
    write(tmp_path, {**rule.example, **rule.instead})
    assert found(tmp_path, select=("SF",)) == []
