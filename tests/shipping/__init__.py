"""What is shipped: the image, the compose files, the package and the workflows that make them."""
