"""What a manifest's ingest is held beside."""
