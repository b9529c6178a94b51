"""What the commands of `touchstone` do, one file each; imported when the command is called."""
