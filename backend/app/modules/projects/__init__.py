"""What is tested, and how it is set up: projects with their target and its credentials, and their git sources."""
