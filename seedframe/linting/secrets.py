"""Passwords, keys and hashes that stand in seeds or their data; found by their names and their forms, never shown."""

import ast
import re
from collections.abc import Iterator
from typing import Final

from seedframe.linting.calls import called
from seedframe.linting.found import Place
from seedframe.linting.python_source import PythonSource

_NAMES: Final = re.compile(
    r"(?:^|_)(?:password|passwd|passphrase|pwd|secret_?key|api_?key|private_?key|access_?key|client_secret"
    r"|(?:auth|access|refresh|bearer)_token)$",
    re.IGNORECASE,
)
# Hashes of bcrypt, argon2, scrypt and crypt; private keys.
_HASHES: Final = re.compile(
    r"\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}|\$argon2(?:id|i|d)\$v=|\$(?:5|6|y|7|scrypt)\$[^\s$]+\$[^\s]{20,}"
    r"|pbkdf2_sha(?:1|256|512)\$[0-9]+\$|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"
)
# Addresses with a password, and the keys of services that can be told by their form.
_KEYS: Final = re.compile(
    r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:(?P<password>[^\s/@]+)@|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b"
    r"|\b[rs]k_live_[A-Za-z0-9]{16,}|\bxox[abprs]-[A-Za-z0-9-]{20,}"
)
# What stands where a secret will be.
_PLACEHOLDER: Final = re.compile(
    r"\s*|[*x•.]+|<.*>|\$?\{.*\}|%.*%|\$[A-Z_]+|!.*|(?:[A-Z][A-Z0-9]*_)+[A-Z0-9]+", re.DOTALL
)

PASSWORD: Final = "password-in-code"  # noqa: S105 - the name of a rule
HASH: Final = "hash-in-code"
_HINT_KEEP: Final = 'declare it: SETTINGS = [Setting("SEED_…", Secret, default=None)]; and change it, it is known now'
_HINT_HASH: Final = "let Account make the hash, or a migration; and change the password, its hash is known now"
HINTS: Final = {PASSWORD: _HINT_KEEP, HASH: _HINT_HASH}


def names_secret(name: str) -> bool:
    """True for a name such as `admin_password`."""
    return _NAMES.search(name) is not None


def is_placeholder(text: str) -> bool:
    """True for what is no secret itself: nothing, a mask, a variable's name."""
    return _PLACEHOLDER.fullmatch(text) is not None


def form_of(text: str) -> str | None:
    """The rule that a text breaks by its form alone."""
    if _HASHES.search(text):
        return HASH
    match = _KEYS.search(text)
    if match is None:
        return None
    return None if match["password"] is not None and is_placeholder(match["password"]) else PASSWORD


def secrets_in(source: PythonSource) -> Iterator[tuple[str, Place, str]]:
    """(rule, place, what) of each secret that is written out in a Python file."""
    documentation = {id(text) for text in _docstrings(source)}
    conditions = {id(each) for each in _conditions(source)}
    for node in source.nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            rule = form_of(node.value)
            if rule is not None:
                what = "a hash or a private key" if rule == HASH else "a key, or an address with a password,"
                yield rule, source.at(node), f"{what} stands in the code"
        for name, value, certain in _named(node):
            text = value.value if isinstance(value, ast.Constant) else None
            if not isinstance(text, str) or id(value) in conditions or not (certain or names_secret(name)):
                continue
            if not is_placeholder(text) and form_of(text) is None:
                yield PASSWORD, source.at(value), f"the value of {name} stands in the code"


def _docstrings(source: PythonSource) -> Iterator[ast.expr]:
    for node in source.nodes:
        if isinstance(node, ast.Expr):
            yield node.value


def _conditions(source: PythonSource) -> Iterator[ast.AST]:
    """What stands in `validate={"password": "…"}`: SQL."""
    for node in source.nodes:
        if isinstance(node, ast.keyword) and node.arg == "validate":
            yield from ast.walk(node.value)


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr, bool]]:
    """Names and the values that they are given; True where such a value is a secret whatever the name."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name | ast.Attribute):
                yield target.id if isinstance(target, ast.Name) else target.attr, node.value, False
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value, False
    elif isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value, False
    elif isinstance(node, ast.Call):
        yield from _given(node)


def _given(node: ast.Call) -> Iterator[tuple[str, ast.expr, bool]]:
    name = called(node)
    if name == "Secret" and node.args:
        yield "a Secret", node.args[0], True
    secret = name == "Setting" and any(isinstance(each, ast.Name) and each.id == "Secret" for each in _values(node))
    for keyword in node.keywords:
        if keyword.arg is not None:
            default = secret and keyword.arg == "default"
            yield "a Secret" if default else keyword.arg, keyword.value, default


def _values(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]
