"""What image commands do, whoever keeps the images: a store that dockyard reads itself, or a Docker Engine."""
