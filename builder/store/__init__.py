"""The image store: blobs, names, leases and garbage collection after containerd's model, and OCI layouts."""
