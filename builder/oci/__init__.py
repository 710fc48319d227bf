"""OCI image objects as typed values: digests, descriptors, manifests, indexes, configs. No I/O."""
