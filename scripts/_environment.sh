# SPDX-FileCopyrightText: 2026 The Tunesmith authors
# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Read by the other scripts: where the project lies, and how its environment comes to be.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
export PIP_DISABLE_PIP_VERSION_CHECK=1

heading() {
    if [ -t 1 ]; then printf '\n\033[1m== %s\033[0m\n' "$*"; else printf '\n== %s\n' "$*"; fi
}

fail() { # fail WHAT GIVEN EXPECTED TODO
    printf '%s\n  given:    %s\n  expected: %s\n  to do:    %s\n' "$@" >&2
    exit 2
}

is_suitable() { # is_suitable PYTHON: new enough, and able to make environments
    "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1
}

find_python() { # prints the Python to make environments with
    if [ -n "${PYTHON:-}" ]; then
        is_suitable "$PYTHON" || fail "The Python named by \$PYTHON cannot be used." "$PYTHON" \
            "Python 3.10 or newer with the modules venv and ensurepip" "set PYTHON to another one, or unset it"
        printf '%s\n' "$PYTHON"
        return
    fi
    # The one that the constraints were measured with comes first; then whatever the machine calls Python.
    local name
    for name in python3.11 python3 python3.12 python3.13 python3.10 python; do
        if is_suitable "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    fail "No suitable Python was found." "$(command -v python3 || echo 'no python3 in PATH')" \
        "Python 3.10 or newer with the modules venv and ensurepip" \
        "install it (on Debian and Ubuntu also the package python3-venv), or set PYTHON to its path"
}

fingerprint() { # what an installed environment depends on, as one word
    (cd "$root" && cat constraints.txt pyproject.toml enterprise/{,vendor/}pyproject.toml plugins/*/pyproject.toml 2>/dev/null |
        cksum | tr ' ' '-')
}

make_venv() { # make_venv FOLDER: an empty environment
    local python
    python=$(find_python) || exit
    "$python" -m venv --clear "$1" || exit
}

pip_install() { # pip_install ENVIRONMENT ARGUMENT...: the versions of constraints.txt; only errors are printed
    local python=$1/bin/python
    shift
    # Without compiling: most modules of torch and its like are never imported, and Python compiles the others by itself.
    "$python" -m pip install -qq --no-compile -c "$root/constraints.txt" "$@" || exit
}

install_torch() { # install_torch ENVIRONMENT: the one large download, so a person gets to see it move
    if [ -t 1 ]; then
        "$1/bin/python" -m pip install --no-compile -c "$root/constraints.txt" torch || exit
    else
        pip_install "$1" torch
    fi
}

# ensure_environment use|develop
#
# Makes .venv, or brings it up to date when constraints.txt or a pyproject.toml changed. `develop` holds all that
# `use` holds. The stamp is written last, so an installation that was interrupted is taken up again.
ensure_environment() {
    local kind=$1 stamp=$venv/tunesmith-environment now
    now=$(fingerprint)
    if "$venv/bin/python" -c '' 2>/dev/null; then
        case $(cat "$stamp" 2>/dev/null) in "$kind $now" | "develop $now") return ;; esac
    else
        heading "Making the environment .venv (once; a few minutes, most of it downloads)"
        make_venv "$venv"
    fi
    rm -f "$stamp"

    heading "Installing torch: the build that your package index offers"
    install_torch "$venv"
    cd "$root" || exit
    # The root comes first in the command: that is where pip finds `tunesmith` for the others.
    if [ "$kind" = develop ]; then
        heading "Installing Tunesmith, its plugins and the development tools"
        local -a parts=(-e ".[dev]")
        [ ! -d enterprise ] || parts+=(-e "./enterprise[server,postgres,oidc]" -e "./enterprise/vendor[postgres]")
        local plugin
        for plugin in plugins/*/pyproject.toml; do parts+=(-e "./${plugin%/pyproject.toml}"); done
        pip_install "$venv" "${parts[@]}"
    else
        heading "Installing Tunesmith"
        pip_install "$venv" -e .
    fi
    printf '%s %s\n' "$kind" "$now" >"$stamp"
}
