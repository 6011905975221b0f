"""``python -m tpkit``."""

from tpkit.cli.main import main

main()
