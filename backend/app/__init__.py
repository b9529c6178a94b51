"""The application: `core`, `db`, `engine`, `extensions` and the domain `modules`."""

import gc

# What an import makes stays: looking for garbage after every 700 objects, as is the default, is a tenth of its time.
# The middle generation is looked through often, because nobody is served meanwhile: 50 ms for what came since, not 200.
gc.set_threshold(50_000, 4, 100)
