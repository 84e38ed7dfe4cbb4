"""What is performed: agents, workflows, the script of every fake, and steps."""
