"""The parts of `run_local.py`: one machine's stack as supervised processes. Services import none of this."""
