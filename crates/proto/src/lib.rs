//! The generated code of the contract in `proto/`: messages, clients and servers of every Layer service.
//!
//! Services meet in these types and nowhere else. The module tree follows the packages: `layer.router.v1` is
//! [`router::v1`]. This crate holds no logic; what a message means is documented in the `.proto` files, whose comments
//! are the documentation of the types here.

/// Types that several services share: values, documents, filters, rankings, queries, schemas.
pub mod types {
    /// Package `layer.types.v1`.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, rustdoc::all)]
    pub mod v1 {
        tonic::include_proto!("layer.types.v1");
    }
}

/// The router's API.
pub mod router {
    /// Package `layer.router.v1`.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, rustdoc::all)]
    pub mod v1 {
        tonic::include_proto!("layer.router.v1");
    }
}

/// The document cache's API.
pub mod cache {
    /// Package `layer.cache.v1`.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, rustdoc::all)]
    pub mod v1 {
        tonic::include_proto!("layer.cache.v1");
    }
}

/// Pipelines.
pub mod pipeline {
    /// Package `layer.pipeline.v1`.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, rustdoc::all)]
    pub mod v1 {
        tonic::include_proto!("layer.pipeline.v1");
    }
}

/// Functions.
pub mod function {
    /// Package `layer.function.v1`.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, rustdoc::all)]
    pub mod v1 {
        tonic::include_proto!("layer.function.v1");
    }
}

/// KEDA's contract with an external scaler.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::unwrap_used, rustdoc::all)]
pub mod externalscaler {
    tonic::include_proto!("externalscaler");
}

/// The encoded `google.protobuf.FileDescriptorSet` of every Layer package, of what those import and of `google.rpc`'s
/// error details: what gRPC reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/layer_descriptor.bin"));
