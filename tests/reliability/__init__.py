"""What must be true when things break: small numbers in `make test`, the full ones by `make torture`."""
