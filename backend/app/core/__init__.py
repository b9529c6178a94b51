"""The language of the house: what every module speaks, and nothing about any one domain."""
