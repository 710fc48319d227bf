"""From the results of a build to images: configs, manifests and indexes, written into stores and archives."""
