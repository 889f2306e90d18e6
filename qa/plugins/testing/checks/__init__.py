"""The checks of the kit, by what they are about. Each is proven by a bad connector that it catches."""
