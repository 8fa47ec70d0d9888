"""A service that speaks Qencode's API and has everything done at once."""
