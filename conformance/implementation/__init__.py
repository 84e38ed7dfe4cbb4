"""What is judged: its protocol, and how it is found."""
