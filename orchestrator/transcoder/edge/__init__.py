"""The transcoder's second face: Transparent Edge's orders and profiles, over the same work queue.

What that API's documents leave open is decided here, and said where it is.
"""
