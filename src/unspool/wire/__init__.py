"""Records in, bytes out, and back: pure codecs."""
