"""Work in progress: the list of jobs, their progress, cancelling and retrying."""
