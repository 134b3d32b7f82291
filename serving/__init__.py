"""Serves exported models over TensorFlow Serving's wire contract."""
