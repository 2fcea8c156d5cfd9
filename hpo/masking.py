"""Which texts are secrets, and how they are kept off the record: by the name they stand under, or by how they look."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import quote

MASK = "***"
"""What stands in the place of a secret."""

SHORTEST = 4
"""Characters a known secret must have to be looked for in longer texts; a shorter one would hit half of the words."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ALWAYS = re.compile(r"passw(or)?d?s?|passwd|passphrase|pwd|secrets?|credentials?|creds?")
_AT_THE_END = frozenset(
    """
    key keys token tokens apikey apikeys authtoken accesskey secretkey privatekey accesstoken bearer
    """.split()  # noqa: SIM905  # as above
)
_HARMLESS_BEFORE = frozenset(
    """
    sort sorting group order primary foreign index join column cache dict map partition row lookup public pad padding
    bos eos sep cls unk mask start stop end special word sub max min num n
    """.split()  # noqa: SIM905  # a list of quoted words reads worse
)

_LOOKS = re.compile(
    r"(?<![A-Za-z0-9])(?:AKIA|ASIA)[0-9A-Z]{16}(?![A-Za-z0-9])"  # AWS
    r"|(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, Stripe's cousins
    r"|(?<![A-Za-z0-9])(?:sk|rk)_live_[A-Za-z0-9]{16,}"
    r"|(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{16,}|(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,}"
    r"|(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,}|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{20,}"
    r"|(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?<![A-Za-z0-9])xapp-[0-9]-[A-Za-z0-9-]{10,}"
    r"|(?<![A-Za-z0-9])(?:AIza[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_.-]{20,})"  # Google
    r"|(?<![A-Za-z0-9])(?:npm_[A-Za-z0-9]{30,}|pypi-Ag[A-Za-z0-9_-]{40,}|gl(?:rt|dt|cbt|ptt)-[A-Za-z0-9_-]{16,})"
    r"|(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"  # SendGrid
    r"|(?<![A-Za-z0-9])(?:dapi[0-9a-f]{32}|do[opr]_v1_[0-9a-f]{40,}|hv[sbr]\.[A-Za-z0-9_-]{20,})"  # Databricks .. Vault
    r"|(?<![A-Za-z0-9])(?:r8_[A-Za-z0-9]{30,}|gsk_[A-Za-z0-9]{30,}|whsec_[A-Za-z0-9+/]{20,})"
    r"|(?<![A-Za-z0-9])(?:shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|AGE-SECRET-KEY-1[0-9A-Z]{30,})"
    r"|(?<![0-9])[0-9]{8,10}:AA[A-Za-z0-9_-]{32,34}(?![A-Za-z0-9_-])"  # Telegram
    r"|(?<=AccountKey=)[A-Za-z0-9+/]{40,}=*"  # Azure
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/-]{20,}=*"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}"  # JSON web tokens
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,20000}"
    r"(?:-----END [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----)?"
)
_MARKS = (
    "AKIA", "ASIA", "sk-", "k_live_", "gh", "gl", "hf_", "xox", "xapp-", "AIza", "GOCSPX-", "ya29.", "npm_", "pypi-",
    "SG.", "dapi", "_v1_", "hvs.", "hvb.", "hvr.", "r8_", "gsk_", "whsec_", "shp", "AGE-SECRET", ":AA", "AccountKey=",
    "earer ", "eyJ", "PRIVATE KEY",
)  # fmt: skip
"""One of these stands in every text that `_LOOKS` finds something in; looking for them is much faster."""
_PASSWORD = re.compile(r"(?<=://)([^\s/:@]{0,200}):[^\s]{1,1000}@")  # greedy: passwords hold / and @, not encoded
_USER = re.compile(r"(?<=://)[^\s/:@]{16,200}@")  # https://TOKEN@host
_IN_QUERY = re.compile(
    r"(?i)([?&](?:[^=&?\s]{0,50}(?:passw|secret|token|key|signature|credential)[^=&?\s]{0,50}|sig)=)[^&\s]+"
)


def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is likely to be a secret: `api_key`, `hf_token`, `dbPassword`.

    The name is judged by its words: `monkey`, `keypoints`, `tokenizer` and `token_pattern` are none, nor are
    `sort_key` and `pad_token`.
    """
    words = [word.lower() for word in _WORD.findall(name) if not word.isdigit()]
    if any(_ALWAYS.fullmatch(word) for word in words):
        return True
    if not words or words[-1] not in _AT_THE_END:
        return False
    return len(words) < 2 or words[-2] not in _HARMLESS_BEFORE


def looks_secret(text: str) -> bool:
    """Whether a text holds what looks like a secret: a well-known kind of token, a private key, a URL's password."""
    return hide_patterns(text) != text


def hide_patterns(text: str) -> str:
    """The text with everything that looks like a secret replaced by `***`."""
    if "://" in text:
        text = _USER.sub(f"{MASK}@", _PASSWORD.sub(rf"\1:{MASK}@", text))
    if "=" in text:
        text = _IN_QUERY.sub(rf"\1{MASK}", text)
    return _LOOKS.sub(MASK, text) if any(mark in text for mark in _MARKS) else text


def is_secret(name: str, value: object) -> bool:
    """Whether a value is one that must not be recorded; numbers, booleans and empty texts never are."""
    return isinstance(value, str) and value not in ("", MASK) and (is_secret_name(name) or looks_secret(value))


def is_secret_choice(name: str, value: object) -> bool:
    """Whether a value to choose from must not be searched over, since what is searched is recorded.

    Stricter than `is_secret`: `key: [major, minor]` names no secret.
    """
    return is_secret(name, value) and (looks_secret(str(value)) or name.lower() not in _AT_THE_END)


@dataclass(frozen=True)
class Secrets:
    """What is known to be secret in a sweep: `params` by parameter, `values` wherever else they come from.

    `variables` are the environment variables some of these come from.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    values: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.params or self.values)

    def sent_with(self, told: str) -> "Secrets":
        """As they travel to another machine: params, which trials need, and of the others those that it is told anyway.

        What it is not told it cannot show; what its own environment holds it knows itself, see `found_in`.
        """
        return replace(self, values=frozenset(value for value in self.values if _is_in(told, value)))

    def found_in(self, environment: Mapping[str, str]) -> "Secrets":
        """With what the variables hold there."""
        found = {environment[name] for name in self.variables if environment.get(name)}
        return replace(self, values=self.values | found)

    def hide(self, text: str) -> str:
        """The text without any known secret, as it is, escaped or quoted, and without what looks like one."""
        for written in _forms(sorted({*self.values, *self.params.values()}, key=len, reverse=True)):
            if written in text:
                text = text.replace(written, MASK)
        return hide_patterns(text)

    def hide_in(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Named texts, tags for example: masked whole under a secret's name, else where a secret stands in them."""
        return {name: MASK if text and is_secret_name(name) else self.hide(text) for name, text in texts.items()}

    def hide_in_json(self, text: str) -> str:
        """JSON with its texts masked, not its numbers, in which a secret of digits may stand by chance."""
        if self.hide(text) == text:
            return text
        return json.dumps(_with_texts(json.loads(text), self.hide))


def hidden(name: str, value: object) -> object:
    """A value of plain data under a name, with all secrets in it masked, at any depth."""
    if isinstance(value, Mapping):
        return {key: hidden(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(name, inner) for inner in value]
    if not isinstance(value, str) or not is_secret(name, value):
        return value
    return MASK if is_secret_name(name) else hide_patterns(value)


def _with_texts(value: object, hide: Callable[[str], str]) -> object:
    """Plain data with every text in it changed."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [_with_texts(item, hide) for item in value]
    if isinstance(value, dict):
        return {hide(key): _with_texts(item, hide) for key, item in value.items()}
    return value


_remembered: set[str] = set()


def remember(secrets: Secrets) -> None:
    """Masks these secrets in all messages that this process shows from now on."""
    _remembered.update(secrets.values, secrets.params.values())


def hide_remembered(text: str) -> str:
    """The text without the secrets this process knows of, and without what looks like one."""
    return Secrets(values=frozenset(_remembered)).hide(text)


def _is_in(text: str, value: str) -> bool:
    return any(written in text for written in (value, *_forms([value])))


def _forms(values: Iterable[str]) -> Iterable[str]:
    """The ways in which a text may stand in an error message, a log or a URL."""
    for value in values:
        if len(value) >= SHORTEST:
            yield from dict.fromkeys((value, repr(value)[1:-1], json.dumps(value)[1:-1], quote(value, safe="")))
