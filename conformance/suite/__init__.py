"""The tests that pytest collects, and the session around them. Only this package and the plugin know pytest."""
