"""Files that are handed in for discovery: specs, captures and archives of source code."""
