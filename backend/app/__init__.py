"""The application: `core`, `db`, `engine`, `extensions` and the domain `modules`."""
