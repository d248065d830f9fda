# Read by the other scripts: makes .venv at the top of the checkout and keeps it up to date.
#
# `ready core` and `ready test` cost a fork and two comparisons when there is nothing to do.
# A stamp is written last, so that an interrupted installation is begun again; it is older than
# pyproject.toml when that was changed, and names another place when the checkout was moved.

case $0 in */*) root=$(cd "${0%/*}/.." && pwd -P) ;; *) root=$(cd .. && pwd -P) ;; esac
venv=$root/.venv

ready() { # core | test
    stamp=$venv/installed-$1
    if [ "$stamp" -nt "$root/pyproject.toml" ] && [ -x "$venv/bin/python" ] &&
        IFS= read -r place <"$stamp" && [ "$place" = "$root" ]; then
        return
    fi
    install "$1"
}

install() {
    place=
    for found in "$venv"/installed-*; do
        if [ -f "$found" ]; then IFS= read -r place <"$found" || true; fi
    done
    if [ "$place" != "$root" ] || ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(suitable_python) || exit 2
        say "making .venv with $python"
        quietly "$python" -m venv --clear "$venv"
    fi
    case $1 in
    core) what=$root ;;
    *) what="$root[$1]" ;;
    esac
    say "installing nettally${what#"$root"} into .venv (once; again when pyproject.toml changes)"
    quietly "$venv/bin/python" -m pip install --disable-pip-version-check --no-input \
        --editable "$what"
    # an editable install compiles nothing, and Python may be told to keep no bytecode
    "$venv/bin/python" -m compileall -q "$root/src" >/dev/null || true
    printf '%s\n' "$root" >"$venv/installed-core"
    printf '%s\n' "$root" >"$venv/installed-$1"
}

suitable_python() { # $PYTHON when it is set, else python3, else a python3.x
    for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do
        if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    found=$("${PYTHON:-python3}" -c 'import platform; print("is Python", platform.python_version())' \
        2>/dev/null) || found='was not found'
    say "nettally needs Python 3.11 or newer; ${PYTHON:-python3} $found" \
        "  try: PYTHON=/path/to/python3.11 $0"
    return 1
}

quietly() { # runs a command; shows what it printed only if it fails
    log=$root/.venv-log
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        say "this failed: $*"
        exit 2
    fi
    rm -f "$log"
}

say() { printf '%s\n' "$@" >&2; }
