"""Completion in bash, zsh and fish: the lines that a shell reads once, and what it is then told.

click finds what could come next; the shells are ours, since click's own take apart words with
``=``, ``:`` and commas. A shell is told a line a completion: its type, its value and what it means,
with tabs between them. The types are click's, plain, file and dir, and ``arguments.OPEN``.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

if TYPE_CHECKING:
    import click

BASH = r"""
%(complete_func)s() {
    local kind value meaning file files=
    COMPREPLY=()
    while IFS=$'\t' read -r kind value meaning; do
        case $kind in
            plain) COMPREPLY+=("$value") ;;
            open) COMPREPLY+=("$value"); compopt -o nospace 2>/dev/null ;;
            file) files=f ;;
            dir) files=d ;;
        esac
    done <<< "$(COMP_LINE=${COMP_LINE:0:COMP_POINT} COMP_WORDBREAKS=$COMP_WORDBREAKS \
        %(complete_var)s=bash_complete "$1" 2>/dev/null)"
    [ -n "$files" ] || return 0
    compopt -o filenames 2>/dev/null
    while IFS= read -r file; do
        [ -z "$file" ] || COMPREPLY+=("$file")
    done <<< "$(compgen -$files -- "${COMP_WORDS[COMP_CWORD]}")"
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

ZSH = r"""#compdef %(prog_name)s

%(complete_func)s() {
    local -a words_before values meant files
    local line kind value meaning
    (( $+commands[%(prog_name)s] + $+functions[%(prog_name)s] )) || return 1
    words_before=("${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}")
    for line in "${(@f)$(COMP_WORDS="${(F)words_before}" \
        %(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}"; do
        kind="${line%%%%$'\t'*}" line="${line#*$'\t'}"
        value="${line%%%%$'\t'*}" meaning="${line#*$'\t'}"
        case $kind in
            plain)
                if [[ -n $meaning ]]; then
                    meant+=("${value//:/\\:}:$meaning")
                else
                    values+=("$value")
                fi ;;
            open) compadd -S '' -- "$value" ;;
            file|dir) files=($kind) ;;
        esac
    done
    (( $#meant )) && _describe -V '%(prog_name)s' meant
    (( $#values )) && compadd -V '%(prog_name)s' -a values
    if (( $#files )); then
        [[ $PREFIX == --*=* ]] && compset -P '*='
        if [[ $files == dir ]]; then _files -/; else _files; fi
    fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

FISH = r"""
function %(complete_func)s
    set -l token (commandline -ct)
    set -l words (commandline -opc) (string unescape -- $token; or echo -n $token)
    test (count $words) -gt (count (commandline -opc)); or set -a words ""
    for line in (COMP_WORDS=(string join \n -- $words | string collect -N) \
            %(complete_var)s=fish_complete %(prog_name)s 2>/dev/null)
        set -l parts (string split -m 2 \t -- $line)
        switch $parts[1]
            case plain open
                printf '%%s\t%%s\n' $parts[2] $parts[3]
            case file
                set -l before (string match -r -- '^--[^=]*=' $token)
                for path in (__fish_complete_path (string replace -- "$before" "" $token))
                    printf '%%s%%s\n' "$before" $path
                end
            case dir
                __fish_complete_directories $token
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class Shell(ShellComplete):
    """A shell, by the words of its line: those before the cursor, and the one at it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words behind the program's name, and the beginning of the one at the cursor."""
        words = os.environ.get("COMP_WORDS", "").split("\n")
        return words[1:-1], words[-1]

    def format_completion(self, item: CompletionItem) -> str:
        """A line of the answer."""
        meaning = " ".join((item.help or "").split())
        return f"{item.type}\t{item.value}\t{meaning}"

    def complete(self) -> str:
        """The answer. A value of an option keeps what stands before it: ``--format=json``."""
        words, word = self.get_completion_args()
        option, equals, value = word.partition("=")
        if equals and option.startswith("--"):
            items = self.get_completions([*words, option], value)
        else:
            option = equals = ""
            items = self.get_completions(words, word)
        for item in items:
            item.value = f"{option}{equals}{item.value}"
        return "\n".join(self.format_completion(item) for item in items)


class Bash(Shell):
    """Bash breaks words at ``=`` and ``:`` too, and replaces the last piece alone."""

    name = "bash"
    source_template = BASH.lstrip()
    breaking = ""
    quote = ""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words of the line up to the cursor, as they were meant: without quotes."""
        words, word, self.quote = split(os.environ.get("COMP_LINE", ""))
        breaks = [each for each in "=:" if each in os.environ.get("COMP_WORDBREAKS", "=:")]
        if not self.quote:
            end = max((word.rfind(each) for each in breaks), default=-1)
            self.breaking = word[: end + 1]
        return words[1:], word

    def format_completion(self, item: CompletionItem) -> str:
        """A line of the answer: the piece that bash replaces, safe to stand in the line."""
        value = item.value.removeprefix(self.breaking)
        if not self.quote:
            value = re.sub(r"([^\w@%+=:,./~-])", r"\\\1", value)
        return f"{item.type}\t{value}\t"


class Zsh(Shell):
    """Zsh takes whole words, and quotes by itself."""

    name = "zsh"
    source_template = ZSH


class Fish(Shell):
    """Fish takes whole words, and quotes by itself."""

    name = "fish"
    source_template = FISH.lstrip()

    def get_completion_args(self) -> tuple[list[str], str]:
        """As of any shell; fish ends the last word with a line's end."""
        words = os.environ.get("COMP_WORDS", "").removesuffix("\n").split("\n")
        return words[1:-1], words[-1]


SHELLS = {shell.name: shell for shell in (Bash, Zsh, Fish)}


def split(line: str) -> tuple[list[str], str, str]:
    """A line that may end in the middle of a word: the words before that, the word, its quote.

    The word is "" where the line ends with a space, the quote where none is open.
    """
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:  # it ends within quotes, or behind a backslash
        state = str(getattr(lexer, "state", ""))  # the quote that is open, which no stub knows
        return words, lexer.token, state if state in ("'", '"') else ""
    if not words or line[-1].isspace():
        return words, "", ""
    return words[:-1], words[-1], ""


def register() -> None:
    """Let click answer these shells as ours."""
    for shell in SHELLS.values():
        add_completion_class(shell)


def script(shell: str, group: click.Group, program: str, variable: str) -> str:
    """The lines that a shell reads once."""
    return SHELLS[shell](group, {}, program, variable).source()
