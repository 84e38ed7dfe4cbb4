"""The rules: pure functions of scenario and trace."""
