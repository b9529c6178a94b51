"""How a discovery looks: which strategies, with what tools, at which files."""
