# Runs the tests on every later Python at hand, each in an environment of its own.
set -eu

# A name on the path may be a shim for a Python that is not there, so each is asked for its version.
find_python() {
    for candidate in "python$1" "$HOME"/.pyenv/versions/"$1".*/bin/python; do
        if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$1')" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

for version in 3.12 3.13 3.14; do
    python=$(find_python "$version")
    if [ -z "$python" ]; then
        echo "Python $version is not at hand"
        continue
    fi
    venv=".venv-$version"
    if [ ! -e "$venv/.installed" ] || [ pyproject.toml -nt "$venv/.installed" ]; then
        "$python" -m venv "$venv"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
        touch "$venv/.installed"
    fi
    echo "Python $version:"
    "$venv/bin/python" -m pytest -q -m "not slow" --no-header
done
