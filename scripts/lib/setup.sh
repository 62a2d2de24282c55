# Sourced by the scripts: makes .venv hold exactly what requirements.lock says, and sets PYTHON.
# Costs nothing when that is already so.

find_python() {
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$candidate"
      return
    fi
  done
  echo "scripts: no Python of 3.11 or newer found on PATH; install one and try again" >&2
  return 1
}

is_current() {
  [ "$(cat "$1/installed" 2>/dev/null)" = "$wanted" ] && "$1/bin/python" -c '' 2>/dev/null
}

install() {
  "$PYTHON" -m pip install --quiet --quiet --disable-pip-version-check "$@"
}

PYTHON="${RESILIENCE_BENCH_PYTHON:-$PWD/.venv/bin/python}"
wanted="$(cat requirements.lock pyproject.toml stack/pyproject.toml; pwd)"
# RESILIENCE_BENCH_PYTHON names an interpreter that has everything already; tests set it.
if [ -z "${RESILIENCE_BENCH_PYTHON:-}" ] && ! is_current .venv; then
  trap 'echo "interrupted while setting up; nothing was measured yet" >&2; exit 130' INT TERM
  base="$(find_python)"
  if [ "${SETUP_FOR:-}" = demo ]; then
    # A tenth of the packages are enough for it, and nothing has to be built.
    PYTHON="$PWD/.venv-demo/bin/python"
    wanted="$wanted $(cat demo/requirements.txt)"
    if ! is_current .venv-demo; then
      echo "setting up .venv-demo (once; less than a minute)" >&2
      "$base" -m venv --clear .venv-demo
      install --requirement demo/requirements.txt --constraint requirements.lock
      packages="$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
      printf '%s\n' "$PWD/src" "$PWD/stack/src" > "$packages/checkout.pth"
      printf '%s\n' "$wanted" > .venv-demo/installed
    fi
  else
    echo "setting up .venv (once; about a minute)" >&2
    "$base" -m venv --clear .venv
    install --requirement requirements.lock
    install --no-deps --no-build-isolation --editable . --editable ./stack
    printf '%s\n' "$wanted" > .venv/installed
  fi
  trap - INT TERM
fi
