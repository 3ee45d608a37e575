from hevlayer._proto.layer.router.v1 import fetch_pb2 as _fetch_pb2
from hevlayer._proto.layer.router.v1 import namespace_pb2 as _namespace_pb2
from hevlayer._proto.layer.router.v1 import query_pb2 as _query_pb2
from hevlayer._proto.layer.router.v1 import write_pb2 as _write_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
