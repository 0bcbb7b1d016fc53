"""The ``txpachube`` command with a service that folds its journal all the time instead of now and then."""

from __future__ import annotations

from functools import partial

from txpachube.cli import main
from txpachube.server import service
from txpachube.server.storage.store import Store

if __name__ == "__main__":
    vars(service)["Store"] = partial(Store, fold_rows=30)
    main()
