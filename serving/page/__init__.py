"""The page at `/`: a model tried out in a browser."""
