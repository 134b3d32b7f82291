"""TensorFlow Serving's REST contract: paths, JSON in, JSON out, errors."""
