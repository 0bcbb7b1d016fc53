# Installs the wheel without extras into an environment of its own and uses the client there:
# what the service and the command line need must not be needed for a client.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PYTHON" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check .
cd "$work"
"$work/venv/bin/python" - <<'PROGRAM'
import importlib.util
import sys

import txpachube
import txpachube.client

for extra in ("click", "rich", "psutil", "argon2", "websockets"):
    assert importlib.util.find_spec(extra) is None, f"{extra} came with the bare client"
environment = txpachube.Environment(title="Office", datastreams=[{"id": "temp", "current_value": "21.5"}])
for form in (txpachube.DataFormats.JSON, txpachube.DataFormats.XML):
    assert txpachube.Environment().decode(environment.encode(form), form) == environment
assert txpachube.client.Client(api_key="k" * 48)
assert txpachube.client.PAWSClient(api_key="k" * 48)
try:
    txpachube.client.PAWSClient(url="ws://127.0.0.1:8080")
except txpachube.Error as missing:
    assert "txpachube[websocket]" in str(missing), missing
else:
    raise SystemExit("a WebSocket without its extra")
print("the bare client installs, imports and works on Python", sys.version.split()[0])
PROGRAM
said=$("$work/venv/bin/txpachube" 2>&1) && { echo "the command line ran without its extra"; exit 1; }
case "$said" in *"txpachube[server,cli]"*) ;; *) echo "the command line does not say what it needs: $said"; exit 1 ;; esac
