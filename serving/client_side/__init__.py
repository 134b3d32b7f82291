"""What `serving.client` is made of: images, transports, errors."""
