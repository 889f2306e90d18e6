"""Sources: the systems conversations come from, how their syncs stand, what they delivered and refused."""
