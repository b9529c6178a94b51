"""What the language, Node and packages that everybody uses bring along, as far as it decides which routes there are."""
