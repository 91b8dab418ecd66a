"""Speed and memory of the running product, each figure beside a limit or a naive version of the same run."""
