"""What click refuses, in our own words: what is wrong with the command line, and one suggestion."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ..errors import NettallyError, closest
from .process import PROGRAM, UNUSABLE, write_to_stderr

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


NARROW = 60
"""Below this width, in columns, what an option means is set under it and not beside it."""


class Formatter(click.HelpFormatter):
    """Sets help for narrow terminals too."""

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Terms and what they mean, in two columns where there is room."""
        rows = list(rows)
        if self.width >= NARROW or max(len(term) for term, _ in rows) < self.width // 3:
            super().write_dl(rows, col_max, col_spacing)
            return
        for term, meaning in rows:
            self.write(_broken_at_bars(term, self.width, " " * self.current_indent))
            self.indent()
            self.indent()
            self.write_text(meaning)
            self.dedent()
            self.dedent()


def _broken_at_bars(term: str, width: int, margin: str) -> str:
    """A term, and a list of choices in it (``a|b|c``) over several lines where it is too long."""
    lines, line = [], margin
    for piece in term.replace("|", "|\0").split("\0"):
        if len(line) + len(piece) > width and line.strip():
            lines.append(line)
            line = f"{margin}    "
        line += piece
    return "\n".join([*lines, line]) + "\n"


class Context(click.Context):
    """A context whose help is set by our own formatter."""

    formatter_class = Formatter


class Group(click.Group):
    """A group that suggests a command where the one that is named does not exist."""

    context_class = Context

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What click does; without a command the help is shown, as a usage error."""
        if not args and not ctx.resilient_parsing:
            write_to_stderr(ctx.get_help() + "\n")
            ctx.exit(UNUSABLE)
        return super().parse_args(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name; None where there is none."""
        command = super().get_command(ctx, cmd_name)
        if command is not None:
            command.context_class = Context
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that a line begins with. Raises NettallyError where there is none."""
        word = args[0]
        if not (ctx.resilient_parsing or word.startswith("-") or self.get_command(ctx, word)):
            raise _no_such_command(word, self, ctx)
        return super().resolve_command(ctx, args)


def refusal(error: click.UsageError, group: click.Group, words: Sequence[str]) -> NettallyError:
    """The complaint about a usage error of a command line. words: all of it but the program."""
    path, command = command_of(group, words)
    context = error.ctx or click.Context(command)
    manual = f"{path} --help"
    if isinstance(error, click.NoSuchOption):
        return _no_such_option(error.option_name, command, context, path)
    if isinstance(error, click.MissingParameter) and error.param is not None:
        return NettallyError(
            f"{path.partition(' ')[2] or path} needs {_spelling(error.param)}", hint=manual
        )
    if isinstance(error, click.BadOptionUsage):
        return _bad_option(error, command, context, manual)
    if isinstance(error, click.BadParameter) and error.param is not None:
        subject = _name(error.param) or path.partition(" ")[2]
        return _bad_value(error, error.param, subject, manual)
    unexpected = error.message.partition("extra argument")[2].partition("(")[2]
    if unexpected:
        word = unexpected.removesuffix(")")
        if re.search(r"-\d+-of-\d+\.\w+$", word):
            manual = "a model in several files is read through its index, FILE.index.json"
        return NettallyError(f"unexpected argument: {word}", hint=manual)
    return NettallyError(_in_lower_case(error.format_message()), hint=manual)


def command_of(group: click.Group, words: Iterable[str]) -> tuple[str, click.Command]:
    """The command that a line names, as it is typed and as click has it; the group at least."""
    path, command = PROGRAM, group
    context = click.Context(group)
    for word in words:
        if not isinstance(command, click.Group):
            break
        known = command.get_command(context, word)
        if known is not None:
            path, command = f"{path} {word}", known
    return path, command


def _no_such_command(name: str, group: click.Group, context: click.Context) -> NettallyError:
    """The complaint about a command that there is not, or about a network in its place."""
    import os

    known = group.list_commands(context)
    hint = closest(name, known)
    if not hint.startswith("did you mean"):
        hint = f"{context.command_path} --help"
        if context.parent is None and _is_network(name):
            import shlex

            hint = shlex.join([PROGRAM, "tally", name])
    path = context.command_path.partition(" ")[2]
    kind = f"command of {path}" if path else "command"
    shown = os.path.basename(name) if len(name) > 60 else name
    return NettallyError(f"there is no {kind} '{shown}'", hint=hint)


def _is_network(name: str) -> bool:
    import os

    from ..formats import names_code
    from ..formats.zoo import names

    return os.path.isfile(name) or names_code(name) or name in names()


def _no_such_option(
    name: str, command: click.Command, context: click.Context, path: str
) -> NettallyError:
    if name[1:2].isdigit():
        return NettallyError(
            f"a value that begins with a dash is taken for an option: {name}",
            hint=f"put -- before it: {path} ... -- {name}",
        )
    known = [each for param in command.get_params(context) for each in param.opts]
    known = [each for each in known if each.startswith("-")]
    if name.startswith("--"):
        known = [each for each in known if each.startswith("--")]
    hint = closest(name, known)
    if isinstance(command, click.Group) and not hint.startswith("did you mean"):
        hint = f"the options of a command stand behind it: {path} COMMAND ... {name}"
    return NettallyError(f"there is no option '{name}'", hint=hint)


def _bad_option(
    error: click.BadOptionUsage, command: click.Command, context: click.Context, manual: str
) -> NettallyError:
    """An option without a value that needs one, or with one that takes none."""
    name = error.option_name
    option = next((p for p in command.get_params(context) if name in p.opts), None)
    if option is None or getattr(option, "is_flag", False):
        return NettallyError(f"{name} takes no value", hint=manual)
    return NettallyError(f"{name} needs a value", hint=f"{name} {_metavar(option)}")


def _bad_value(
    error: click.BadParameter, param: click.Parameter, name: str, manual: str
) -> NettallyError:
    """A value that a parameter does not take, with those that it does. name: of the parameter."""
    kind = param.type
    value, parted, _ = error.message.partition(" is not ")
    value = value.strip("'\"")
    if parted and isinstance(kind, click.Choice):
        hint = closest(value, kind.choices)
        return NettallyError(f"{name} takes no '{value}'", hint=hint)
    if parted and isinstance(kind, (click.IntRange, click.FloatRange)):
        return NettallyError(f"{name} takes {_range(kind)}", values=value, hint=manual)
    return NettallyError(f"{name}: {_in_lower_case(error.message)}", hint=manual)


def _range(kind: click.IntRange | click.FloatRange) -> str:
    noun = "a whole number" if isinstance(kind, click.IntRange) else "a number"
    if kind.min is not None and kind.max is not None:
        upper = f"and below {kind.max:,}" if kind.max_open else f"and at most {kind.max:,}"
        return f"{noun}, at least {kind.min:,} {upper}"
    return f"{noun} of at least {kind.min:,}" if kind.min is not None else noun


def _name(param: click.Parameter) -> str:
    """What names a parameter in a complaint; "" for an argument that shows its values only."""
    if isinstance(param, click.Option):
        return max(param.opts, key=len)
    return "" if isinstance(param.type, click.Choice) else _metavar(param)


def _spelling(param: click.Parameter) -> str:
    """How a parameter is typed: ``-o FILE``, ``NET``."""
    return (
        f"{param.opts[0]} {_metavar(param)}" if isinstance(param, click.Option) else _metavar(param)
    )


def _metavar(param: click.Parameter) -> str:
    """What stands for a parameter's value in the help."""
    if param.metavar:
        return param.metavar
    if isinstance(param.type, click.Choice):
        return "|".join(map(str, param.type.choices))
    return (param.type.name if isinstance(param, click.Option) else param.name or "").upper()


def _in_lower_case(message: str) -> str:
    """``Got unexpected extra argument (x)`` as the middle of a line."""
    text = message.removesuffix(".")
    return text[:1].lower() + text[1:]
