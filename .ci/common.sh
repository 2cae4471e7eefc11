# Shared by .ci/run and .ci/full: where uv is, how a step is announced, how tests end. Sourced, not run.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
export CI=true
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}" # behind a company's proxy only the machine's own store knows the certificate
exec </dev/null

closing_lines=()
logs="$(mktemp -d)"
trap 'rm -rf "$logs"' EXIT

say() { printf '\n--- %s (%s s)\n' "$*" "$SECONDS"; }

install_uv() {
    command -v uv >/dev/null && return
    say "install uv"
    export PATH="$PWD/.uv/bin:$HOME/.local/bin:$PATH"
    command -v uv >/dev/null && return
    python3 -m pip install --quiet uv 2>/dev/null && command -v uv >/dev/null && return
    # Debian's Python refuses a bare pip install (PEP 668): a folder of its own always works.
    python3 -m venv .uv && .uv/bin/pip install --quiet uv
    command -v uv
}

# An interpreter of this version on this machine, downloading none; fails when there is none.
find_python() {
    local found
    found="$(uv python find --no-project --no-python-downloads "$1" 2>/dev/null)" && { echo "$found"; return; }
    found="$(compgen -G "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1.*/bin/python$1" | sort -V | tail -n 1)"
    [[ -n "$found" ]] && echo "$found"
}

# pytest_step LABEL COMMAND...: run tests, keep pytest's closing line for the end.
pytest_step() {
    local label="$1" log
    shift
    say "tests, $label: $*"
    log="$logs/${#closing_lines[@]}"
    "$@" 2>&1 | tee "$log"
    closing_lines+=("$label"$'\n'"$(tail -n 1 "$log")")
}

install_chromium() {
    command -v chromium >/dev/null && return
    say "install chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
}

checkout_state() { git -c safe.directory='*' status --porcelain; }

has_browser_tests() { compgen -G "tests/browser/test_*.py" >/dev/null; }

finish() {
    say "all passed"
    printf '%s\n' "${closing_lines[@]}"
}
