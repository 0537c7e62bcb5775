"""What a saved plan is bound to besides rows: code, configuration, settings, plugins and the target. Plain data.

Values of secret settings are left out altogether: a digest of a short secret could be guessed at.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from seedframe import __version__
from seedframe.configuration.config import Config
from seedframe.configuration.settings import Settings
from seedframe.errors import PlanRefused, Problem
from seedframe.seed import Seed
from seedframe.seeding.code_digest import code_digest, distribution_digest, helper_digests

if TYPE_CHECKING:
    from seedframe.plugins.installed import Distribution

_SINCE = "since the plan was made"


def binding(
    config: Config,
    chosen: Sequence[Seed],
    settings: Mapping[str, Settings],
    distributions: "Sequence[Distribution]",
    target: Mapping[str, Any],
) -> dict[str, Any]:
    """What a plan that is made now is bound to.

    Args:
        settings: those of each chosen seed, by its name.
        target: as `target_identity` has it.
    """
    limits = config.limits
    return {
        "version": __version__,
        "project": config.project,
        "env": config.env,
        "limits": {
            "[limits] max_delete": None if limits.delete is None else str(limits.delete),
            "[limits] max_update": None if limits.update is None else str(limits.update),
            "[ledger] baseline_rows": config.baseline_rows,
        },
        "target": dict(target),
        "helpers": helper_digests(config.seeds_dir, config.root),
        "plugins": {
            dist.name: {"version": dist.version, "record": distribution_digest(dist.name)}
            for dist in distributions
            if dist.state == "allowed"
        },
        "order": [seed.label for seed in chosen],
        "seeds": {
            seed.label: {
                "name": seed.name,
                "origin": seed.origin,
                "code": code_digest(seed),
                "configuration": _digest(config.seeds.get(seed.name, {})),
                "settings": _settings(seed, settings[seed.name]),
            }
            for seed in chosen
        },
    }


def mismatches(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Problem]:
    """Everything that moved between two bindings, each as what a person is told of it."""
    return [
        Problem(PlanRefused.code, message, "make a new plan", where) for message, where in _told(dict(then), dict(now))
    ]


def _told(then: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    for what, word in (("project", "project"), ("env", "environment"), ("version", "seedframe")):
        if then[what] != now[what]:
            yield f"the plan is for {word} {then[what]!r}, this is {now[what]!r}", None
    yield from ((message, None) for message in _target(then["target"], now["target"]))
    for name, value in now["limits"].items():
        if then["limits"].get(name) != value:
            yield f"{name} was {_shown(then['limits'].get(name))} when the plan was made, and is {_shown(value)}", None
    yield from ((message, None) for message in _plugins(then["plugins"], now["plugins"]))
    for path in sorted({*then["helpers"], *now["helpers"]}):
        if then["helpers"].get(path) != now["helpers"].get(path):
            yield f"helper {path} {_moved(path, then['helpers'], now['helpers'])} {_SINCE}", path
    for label in dict.fromkeys([*then["seeds"], *now["seeds"]]):
        yield from _seed(label, then["seeds"], now["seeds"])
    if then["order"] != now["order"] and sorted(then["order"]) == sorted(now["order"]):
        yield f"the seeds run in another order than when the plan was made: {', '.join(now['order'])}", None


def _target(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if then["system"] is not None and now["system"] is not None and then["system"] != now["system"]:
        yield f"the plan is for database {then['database']!r} of another server"
    elif then["database"] != now["database"]:
        yield f"the plan is for database {then['database']!r}, this is {now['database']!r}"
    elif then["database_oid"] != now["database_oid"]:
        yield f"database {now['database']!r} was made anew {_SINCE}"
    elif then["schema"] != now["schema"]:
        yield f"the plan is for schema {then['schema']!r}, this is {now['schema']!r}"
    elif then["schema_oid"] != now["schema_oid"]:
        yield f"schema {now['schema']!r} was made anew {_SINCE}"
    if then["server_major"] != now["server_major"]:
        yield f"the plan is for PostgreSQL {then['server_major']}, this is {now['server_major']}"


def _plugins(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted({*then, *now}):
        if name not in then:
            yield f"plugin {name} {now[name]['version']} takes part, and did not when the plan was made"
            continue
        old, new = then[name], now.get(name)
        if new is None:
            yield f"plugin {name} {old['version']} takes no part any more"
        elif old["version"] != new["version"]:
            yield f"plugin {name} was {old['version']} when the plan was made, and is {new['version']}"
        elif old["record"] != new["record"]:
            yield f"plugin {name} {new['version']} was installed anew, with other contents, {_SINCE}"


def _seed(label: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    if label not in now:
        yield f"seed {label} is in the plan, and is not there any more", then[label]["origin"]
        return
    origin = now[label]["origin"]
    if label not in then:
        yield f"seed {label} is not in the plan", origin
        return
    old, new = then[label], now[label]
    if old["name"] != new["name"] or old["origin"] != origin:
        yield f"seed {label} came from {old['origin']} when the plan was made", origin
    if old["code"] != new["code"]:
        yield f"seed {label} changed {_SINCE}", origin
    if old["configuration"] != new["configuration"]:
        yield f"seed {label} is configured otherwise than when the plan was made", f"[seeds.{new['name']}]"
    for name in sorted({*old["settings"], *new["settings"]}):
        if old["settings"].get(name) != new["settings"].get(name):
            yield f"setting {name} of seed {label} changed {_SINCE}", None


def _moved(name: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return "was added" if name not in then else "was removed" if name not in now else "changed"


def _shown(value: object) -> object:
    return "not set" if value is None else value


def _settings(seed: Seed, values: Settings) -> dict[str, str]:
    """For each setting a digest of its value; of a secret one, only whether it is given."""
    return {
        setting.name: ("not given" if values[setting.name] is None else "given")
        if setting.secret
        else _digest(values.made_of(setting.name))
        for setting in seed.settings
    }


def _digest(value: object) -> str:
    return sha256(json.dumps(_plain(value), sort_keys=True, default=str).encode()).hexdigest()


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value
