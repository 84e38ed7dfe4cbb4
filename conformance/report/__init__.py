"""Reports: they render results and judge nothing."""
