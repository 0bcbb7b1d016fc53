# Runs the tests on every later Python at hand, each in an environment of its own.
set -eu

for version in 3.12 3.13 3.14; do
    python=$(command -v "python$version" || ls -d "$HOME"/.pyenv/versions/"$version".*/bin/python 2>/dev/null | tail -n 1 || true)
    [ -n "$python" ] && "$python" -c '' 2>/dev/null || { echo "Python $version is not at hand"; continue; }
    venv=".venv-$version"
    if [ pyproject.toml -nt "$venv/.installed" ]; then
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
        touch "$venv/.installed"
    fi
    echo "Python $version:"
    "$venv/bin/python" -m pytest -q -m "not slow" --no-header
done
