"""A containerd daemon as image store: its gRPC API behind the protocols of `builder.store`.

Only `builder.store.containerd.store` is for others. grpc and protobuf take longer to import than most commands
to run, so whoever does not use a daemon must not import anything of this package.
"""
