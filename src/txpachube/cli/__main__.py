"""Makes ``python -m txpachube.cli`` work."""

from txpachube.cli import main

main()
