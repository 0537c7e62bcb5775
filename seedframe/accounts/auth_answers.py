"""What Supabase Auth answers, as data, and what each answer that is none of what was asked for means."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from seedframe.accounts.auth_address import AuthAddress, expiry, is_secret_key
from seedframe.errors import AuthRefused, AuthUnreachable, SeedError
from seedframe.secrecy.tracebacks import one_line
from seedframe.secrets import Secret

# A gateway that has no answer of the service: the last ones are Cloudflare's, before hosted projects.
_NO_SERVICE: Final = frozenset({502, 503, 504, 520, 521, 522, 523, 524, 530})
_TOO_MANY: Final = 429
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SECONDS: Final = re.compile(r"[0-9]{1,9}")
_LONGEST_SENTENCE: Final = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the service: its status, its JSON (None where it is none), and its headers, names in lower case."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        """The service's word for what is wrong, in either of the forms that it has had."""
        if not isinstance(self.body, dict):
            return None
        found = next((self.body[name] for name in ("error_code", "code") if isinstance(self.body.get(name), str)), None)
        if found is None and self.status == 404 and self.body.get("msg") == "User not found":
            return "user_not_found"  # from before there were codes
        return found if found is not None and _CODE.fullmatch(found) else None

    @property
    def at(self) -> datetime:
        """When, by the service's clock where it says so."""
        return _date(self.headers.get("date")) or datetime.now(UTC)

    @property
    def total(self) -> int | None:
        """How many users there are in all pages."""
        text = self.headers.get("x-total-count", "")
        return int(text) if _SECONDS.fullmatch(text) else None

    @property
    def retry_after_s(self) -> float | None:
        """How many seconds it asks to wait, given as such or as a date (RFC 9110, 10.2.3)."""
        text = self.headers.get("retry-after", "").strip()
        if _SECONDS.fullmatch(text):
            return float(text)
        until = _date(text)
        return None if until is None else max(0.0, (until - self.at).total_seconds())

    @property
    def overloaded(self) -> bool:
        """The same request may go through later, and was not carried out."""
        return self.status == _TOO_MANY

    @property
    def absent(self) -> bool:
        """A gateway answered for the service; whether the request was carried out is not known."""
        return self.status in _NO_SERVICE


def answer_of(status: int, content: bytes, headers: Mapping[str, str]) -> Answer:
    """An answer from what came; content that is no JSON is None."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        body = None
    return Answer(status, body, headers)


def meaning(answer: Answer, doing: str, address: AuthAddress, key: Secret) -> SeedError:
    """The error for an answer that is not what was asked for.

    Args:
        answer: its status is not 2xx, or its body does not fit.
        doing: what was asked for, as in "creating me@x.org".
        address: of the service.
        key: what it says of itself goes into the advice, and nothing else.
    """
    if answer.absent:
        return AuthUnreachable(
            f"Supabase Auth at {address.origin} is not there ({answer.status} from the gateway) for {doing}",
            hint="apply again when it runs",
        )
    what, hint = _reason(answer, doing, address, key)
    error = AuthRefused(f"Supabase Auth at {address.origin} {what}", hint=hint)
    error.status, error.answer = answer.status, answer.code
    return error


def _reason(answer: Answer, doing: str, address: AuthAddress, key: Secret) -> tuple[str, str | None]:
    told = f"{answer.status} {answer.code}" if answer.code else str(answer.status)
    match answer.status, answer.code:
        case _ if 200 <= answer.status < 300:
            return f"gives an answer for {doing} that is none of Supabase Auth's", _check_url(address)
        case 401, _:
            return (
                f"does not take the key ({told})",
                "give this project's service_role or sb_secret_… key; a proxy must pass on Authorization and apikey",
            )
        case 403, "bad_jwt":
            return _bad_token(key)
        case 403, "not_admin":
            return "does not let this key administer accounts (403 not_admin)", "give one with the role service_role"
        case 404, code if code != "user_not_found":
            return f"has nothing at {address.base}/admin/users ({told})", _check_url(address)
        case 404, _:
            return f"has no such account (404) for {doing}", "somebody deleted it meanwhile: apply again"
        case 422, "weak_password":
            return f"does not take the password, it is too weak{_reasons(answer)}, for {doing}", "choose another one"
        case 422, "email_exists" | "user_already_exists":
            return (
                f"says that the e-mail address is taken ({told}), and has no account that could be, for {doing}",
                "look for an account of another audience, or of single sign-on, with this address",
            )
        case 429, _:
            return _limited(answer, doing)
        case 500, _:
            return f"fails ({told}) at {doing}", "its log says why"
    said = _sentence(answer)
    return f"refuses {doing} ({told}{said})", None if said else _check_url(address)


def _bad_token(key: Secret) -> tuple[str, str]:
    if is_secret_key(key):
        return (
            "takes no sb_secret_… key (403 bad_jwt): a server without the hosted gateway takes JWTs only",
            "give a JWT with the role service_role, signed with the server's own secret",
        )
    ends = expiry(key)
    if ends is not None and ends <= datetime.now(UTC):
        return f"does not take the key (403 bad_jwt): it ended on {ends:%Y-%m-%d}", "have a new one made"
    return (
        "does not take the key (403 bad_jwt): another secret signed it",
        "give the service_role key of this project",
    )


def _limited(answer: Answer, doing: str) -> tuple[str, str]:
    wanted = answer.retry_after_s
    asks = "" if wanted is None else f", and asks to wait {wanted:.0f} s"
    return f"gets too many requests (429){asks}, for {doing}", "apply again later"


def _reasons(answer: Answer) -> str:
    """The service's words for what is wrong with a password: length, characters, pwned."""
    weak = answer.body.get("weak_password") if isinstance(answer.body, dict) else None
    reasons = weak.get("reasons") if isinstance(weak, dict) else None
    words = [word for word in reasons if isinstance(word, str) and _CODE.fullmatch(word)] if reasons else []
    return f" ({', '.join(words)})" if words else ""


def _sentence(answer: Answer) -> str:
    """What the service says in a sentence of its own, cut short."""
    if not isinstance(answer.body, dict):
        return ""
    said = next((answer.body[name] for name in ("message", "msg") if isinstance(answer.body.get(name), str)), "")
    text = one_line(said)[:_LONGEST_SENTENCE]
    return f": {text}" if text else ""


def _check_url(address: AuthAddress) -> str:
    return f"check the URL: it is looked for at {address.base}; that of a server without a gateway begins with gotrue+"


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
