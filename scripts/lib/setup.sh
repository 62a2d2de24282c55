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

PYTHON="${RESILIENCE_BENCH_PYTHON:-$PWD/.venv/bin/python}"
wanted="$(cat requirements.lock pyproject.toml stack/pyproject.toml; pwd)"
# RESILIENCE_BENCH_PYTHON names an interpreter that has everything already; tests set it.
if [ -z "${RESILIENCE_BENCH_PYTHON:-}" ] &&
  { [ "$(cat .venv/installed 2>/dev/null)" != "$wanted" ] || ! "$PYTHON" -c '' 2>/dev/null; }; then
  base="$(find_python)"
  echo "setting up .venv (once; about a minute)" >&2
  "$base" -m venv --clear .venv
  "$PYTHON" -m pip install --quiet --quiet --disable-pip-version-check --requirement requirements.lock
  "$PYTHON" -m pip install --quiet --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --editable . --editable ./stack
  printf '%s\n' "$wanted" > .venv/installed
fi
