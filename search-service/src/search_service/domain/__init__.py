"""The rules of search: pure functions and the ports that adapters implement. No wire, no engine, no model."""
