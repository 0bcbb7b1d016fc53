# Sees to the programs that judge the service in the tests: a browser, Mosquitto's tools, netcat, strace.
#
# What is missing is installed when that was asked for, with --install or by the variable CI, and can be:
# Debian's packages, by the superuser. Otherwise it says what is missing; its tests are skipped then.
set -u

missing() {
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null \
        || command -v google-chrome >/dev/null || command -v google-chrome-stable >/dev/null \
        || echo chromium
    command -v mosquitto_sub >/dev/null || echo mosquitto-clients
    command -v nc >/dev/null || echo netcat-openbsd
    command -v strace >/dev/null || echo strace
}

packages=$(missing | tr '\n' ' ')
if [ -n "$packages" ] && { [ "${1:-}" = --install ] || [ -n "${CI:-}" ]; }; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "Installing $packages..."
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq >/dev/null
        # shellcheck disable=SC2086 # these are several words
        apt-get install -qq --yes --no-install-recommends $packages >/dev/null || true
        packages=$(missing | tr '\n' ' ')
    fi
fi
if [ -n "$packages" ]; then
    echo "Some tests will be skipped, for want of: $packages(make judges installs them, as root on Debian)"
fi
