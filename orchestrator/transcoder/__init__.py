"""A transcoding service of one's own: ``server.Transcoder``, set up by ``settings``."""
