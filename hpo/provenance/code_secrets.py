"""Whether a file of code holds a secret, and which kind: then it is left out whole.

Stricter than `hpo.masking`, which looks at names and values: code gives values to names in many ways. And more lenient
where code only speaks of secrets: `f"postgresql://{user}:{password}@{host}"` holds none.
"""

import re
from collections.abc import Iterator

from hpo.masking import SHORTEST, Secrets, is_secret_name, looks_secret

_WORD = re.compile("passw|passphrase|pwd|secret|cred|key|token")
"""What stands, in small letters, in every name of a secret; looking for it first is much faster."""
_NAME = re.compile(r"[A-Za-z0-9_.-]{0,100}")
_BEFORE = re.compile(r"[A-Za-z0-9_.-]{0,100}\Z")
_QUOTED = re.compile(
    r"""["']?\]?\s{0,3}"""
    r"(?::\s{0,3}[A-Za-z_][\w\[\]., |]{0,40}?\s{0,3}(?==))?"  # an annotation
    r"""(?:=>|:=|\?\?=|\|\|=|[=:])\s{0,200}\(?\s{0,200}[rRbBuUfF]{0,2}(?P<quote>["'`])(?:["'`]{2})?(?P<value>[^"'`\n]{1,2000})"""
)
"""After a name: `NAME = "value"`, `name: "value"`, `"name": "value"`, `name="value"`, `env["NAME"] = "value"`."""
_SECOND = re.compile(r"""["']\s{0,3},\s{0,200}[rRbBuU]{0,2}["'](?P<value>[^"'\n]{1,2000})["']\s{0,200},?\s{0,200}\)""")
"""After the first of two arguments: `setdefault("NAME", "value")`."""
_BARE = re.compile(r"""["']?[ \t]{0,20}[=:][ \t]{0,20}(?P<value>[^\s"'#,;][^\s#,;]{0,2000})""")
"""After a name `password: value` and `NAME=value`, for languages where texts need no quotes."""
_UNQUOTED = (".yaml", ".yml", ".toml", ".cfg", ".ini", ".conf", ".properties", ".sh", ".bash", ".zsh", ".fish", ".mk")
_UNQUOTED_NAMES = ("dockerfile", "makefile")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
_BEARER = re.compile(r"""(?i)\b(?:bearer|basic)\s+(?P<value>[A-Za-z0-9+/._~=-]{16,})""")
_IN_URL = re.compile(r"://[^\s/:@\"'`]{0,200}:(?P<value>[^\s\"'`]{1,1000})@")
_PLACEHOLDER = re.compile(
    r"[$%]?\{[^{}]*\}|\$\w+|\$\(.*|%\(?\w*\)?[sd]|<[^<>]*>|\*+|\.{2,}|x{3,}"
    r"|(?i:changeme|inherit|none|null|true|false|your[-_ ].*)"
)
_STRONG = re.compile(r"passw|passphrase|pwd|secret|cred", re.IGNORECASE)
_OF_AN_ACCOUNT = re.compile(
    r"""(?i)(?:api|auth|access|private|client|service|account|sign(?:ing)?|encrypt(?:ion)?|session|refresh|license|"""
    r"""hf|hub|github|gitlab|openai|anthropic|wandb|aws|azure|gcp|google|slack|stripe|bot|deploy|security|master)"""
    r"""[\W_]*(?:keys?|tokens?)$|bearer$"""
)
_SENTENCE = re.compile(r"[.,:!?](?:\s|\Z)|(?i:passw|pwd|secret|credential|key|token)")
_RANDOM = re.compile(r"[A-Za-z0-9+/=_.~-]{16,}")
_TURNS = re.compile(r"(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")


def secret_in(path: str, content: bytes, secrets: Secrets) -> str:
    """Which kind of secret a file holds, in words; empty where none is found."""
    for text in _texts(content):
        if _known(text, secrets):
            return "it holds a known secret"
        if _looks(text):
            return "it holds what looks like a key or token"
        if "://" in text and any(not _is_open(found["value"]) for found in _IN_URL.finditer(text)):
            return "it holds a password in a URL"
        for name, value in _assigned(path, text):
            if _is_secret(name, value):
                return f"it gives a text to {name!r}"
    return ""


def _texts(content: bytes) -> Iterator[str]:
    yield content.decode("utf-8", errors="replace")
    if b"\0" in content:  # perhaps UTF-16
        yield content.replace(b"\0", b"").decode("latin-1")


def _known(text: str, secrets: Secrets) -> bool:
    if not secrets:
        return False
    values = {*secrets.values, *secrets.params.values()}
    return any(len(value) >= SHORTEST and value in text for value in values) or _escaped(text, secrets)


def _escaped(text: str, secrets: Secrets) -> bool:
    """Whether a secret stands in the text as it is written in code or in a URL."""
    return secrets.hide(text) != Secrets().hide(text)


def _looks(text: str) -> bool:
    """What `hpo.masking` takes for a token or key; passwords in URLs are judged here."""
    return looks_secret(text.replace("://", ": //"))


def _assigned(path: str, text: str) -> Iterator[tuple[str, str]]:
    """Texts that are given to names which may be those of secrets."""
    file = path.rpartition("/")[2].lower()
    rules = [_QUOTED, *([_BARE] if file.endswith(_UNQUOTED) or file in _UNQUOTED_NAMES else [])]
    lowered = text.lower() if len(text.lower()) == len(text) else text
    end = 0
    for word in _WORD.finditer(lowered):
        if word.start() < end:
            continue
        before = _BEFORE.search(text, max(0, word.start() - 100), word.start())
        start = before.start() if before else word.start()
        after = _NAME.match(text, word.start())
        end = after.end() if after else word.end()
        is_argument = text[max(0, start - 2) : start - 1] == "("
        for rule in [*rules, *([_SECOND] if is_argument else [])]:
            found = rule.match(text, end)
            if found and not (rule is _QUOTED and _closes(text, start, end, found["quote"])):
                yield text[start:end].strip(".-"), found["value"]
    if "earer" in text or "asic" in text:
        for found in _BEARER.finditer(text):
            yield "bearer", found["value"]


def _closes(text: str, start: int, end: int, quote: str) -> bool:
    """Whether that quote ends the text which the name stands in, as in `getpass("Password: ")`."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return line.count(quote) % 2 == 1 and text[end : end + 1] not in ("'", '"', "`")


def _is_secret(name: str, value: str) -> bool:
    """Whether a text is a secret by its name: strict for passwords, and for keys and tokens of an account.

    Other keys and tokens (`key="legend"`, `metric_key="rmse"`) are secrets only where they look drawn at random.
    """
    last = name.rpartition(".")[2]
    inner = value.strip(" []{}()")
    if not is_secret_name(last) or _PLACEHOLDER.fullmatch(value.strip()) or _names_one(inner):
        return False
    if _STRONG.search(last):
        return len(value) >= SHORTEST and _letters(value) != _letters(last) and not _is_prose(value)
    if _OF_AN_ACCOUNT.search(last):
        return len(value) >= 8 and _letters(value) != _letters(last) and not _is_prose(value)
    return bool(_RANDOM.fullmatch(value)) and len(_TURNS.findall(value)) > 3


def _is_open(password: str) -> bool:
    """Whether a place in a URL is filled elsewhere."""
    return bool(_PLACEHOLDER.fullmatch(password))


def _names_one(value: str) -> bool:
    """Whether a text is the name of a variable that holds a secret: `HF_TOKEN`."""
    return bool(_VARIABLE.fullmatch(value)) and is_secret_name(value)


def _is_prose(value: str) -> bool:
    """Whether a text is a sentence for people; four words alone may be a passphrase."""
    words = value.count(" ")
    return words > 7 or (words > 2 and bool(_SENTENCE.search(value)))


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())
