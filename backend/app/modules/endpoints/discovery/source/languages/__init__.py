"""Languages whose source code is read. One file or package, one language."""
