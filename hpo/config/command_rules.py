"""The rules of a program's placeholders, which name parameters."""

from collections.abc import Collection, Iterator, Sequence

from hpo.config.nearest import did_you_mean
from hpo.errors import ConfigError
from hpo.masking import is_secret
from hpo.placeholders import FIXED, SEVERAL, WHOLE, Template

At = tuple[str | int, ...]
Texts = Sequence[tuple[At, str]]


def command_faults(texts: Texts, names: Collection[str], conditional: Collection[str]) -> Iterator[tuple[At, str]]:
    """What is wrong with the texts of a program that has these parameters, and where."""
    before = ""
    for at, text in texts:
        try:
            template = Template(text)
            fault = (
                _unknown(template, at, names)
                or _secret(template, at)
                or _left_behind(template, at, before, conditional)
            )
        except ConfigError as error:
            fault = str(error)
        if fault:
            yield at, fault
        before = text


def _unknown(template: Template, at: At, names: Collection[str]) -> str | None:
    known = (*names, *FIXED, *WHOLE, *SEVERAL)
    for name in template.names:
        if name not in known:
            hint = did_you_mean(name, known)
            return f"there is no parameter '{name}'{hint or f'; {{{name}}} would be text as {{{{{name}}}}}'}"
        if name in SEVERAL and name not in names and (template.several is None or at[0] == "env"):
            return f"{{{name}}} stands for several arguments: it must be an argument of its own"
    return None


def _left_behind(template: Template, at: At, before: str, conditional: Collection[str]) -> str | None:
    """An argument of a parameter that is not always there is left out; what belongs to it must go with it."""
    name = next((name for name in template.names if name in conditional), None)
    if name is None or at[0] != "command":
        return None
    if at[-1] == 0:
        return f"the program itself cannot hang on '{name}', which not every trial has"
    is_option = before.startswith("-") and "=" not in before and "{" not in before
    if is_option and template.text == f"{{{name}}}":
        return f"not every trial has '{name}', and '{before}' would stay alone: write {before}={{{name}}}"
    return None


def _secret(template: Template, at: At) -> str | None:
    if template.names:
        return None
    name, _, value = (
        template.text.lstrip("-").partition("=") if at[0] == "command" else (str(at[-1]), "", template.text)
    )
    if is_secret(name, value) or is_secret("", template.text):
        return (
            "looks like a secret, and the sweep file is recorded: set an environment variable and name it in "
            "objective.secret_env, the program finds it there"
        )
    return None
