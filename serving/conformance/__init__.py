"""What `serving/check_endpoint.py` is made of."""
