"""`python -m gateway.command`: the same as `framewell`."""

from __future__ import annotations

from gateway.command.app import main

main()
