"""The application: `core`, `db`, `engine`, `extensions` and the domain `modules`."""

import gc

# What an import makes stays: looking for garbage after every 700 objects, as is the default, is a tenth of its time.
gc.set_threshold(50_000, 20, 20)
