//! Result codes, as the server numbers them (`as/include/base/proto.h` of the Community Edition; the client's `ResultCode`).

/// A result code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub u8);

impl Code {
    /// Done.
    pub const OK: Self = Self(0);
    /// No such record.
    pub const NOT_FOUND: Self = Self(2);
    /// The record's generation is not the asked one.
    pub const GENERATION: Self = Self(3);
    /// The request is malformed, or contradicts itself or the record's set.
    pub const PARAMETER: Self = Self(4);
    /// Create only, and there is a record.
    pub const EXISTS: Self = Self(5);
    /// Create only, and there is such a bin.
    pub const BIN_EXISTS: Self = Self(6);
    /// Out of space: stop-writes, or a full file.
    pub const OUT_OF_SPACE: Self = Self(8);
    /// The request's time ran out in the server.
    pub const TIMEOUT: Self = Self(9);
    /// The operation does not go with the bin's type.
    pub const INCOMPATIBLE_TYPE: Self = Self(12);
    /// The record is over the limit.
    pub const RECORD_TOO_BIG: Self = Self(13);
    /// What the stand-in does not know, and the real server may.
    pub const UNSUPPORTED: Self = Self(16);
    /// Update only, and no such bin.
    pub const BIN_NOT_FOUND: Self = Self(17);
    /// The device does not keep up.
    pub const DEVICE_OVERLOAD: Self = Self(18);
    /// The key sent is not the key stored.
    pub const KEY_MISMATCH: Self = Self(19);
    /// No such namespace.
    pub const NAMESPACE: Self = Self(20);
    /// A bin's name is empty or over 15 bytes.
    pub const BIN_NAME: Self = Self(21);
    /// Not allowed now: a set at its limit, or a time to live where nothing expires.
    pub const FORBIDDEN: Self = Self(22);
    /// No such element in a map.
    pub const ELEMENT_NOT_FOUND: Self = Self(23);
    /// There is such an element in a map.
    pub const ELEMENT_EXISTS: Self = Self(24);
    /// The Enterprise Edition alone has it.
    pub const ENTERPRISE_ONLY: Self = Self(25);
    /// The operation does not go with what the bin holds.
    pub const NOT_APPLICABLE: Self = Self(26);
    /// The filter expression was not true.
    pub const FILTERED_OUT: Self = Self(27);
    /// Security is not on.
    pub const SECURITY_NOT_ENABLED: Self = Self(52);
    /// No such user.
    pub const INVALID_USER: Self = Self(60);
    /// The password's hash is not the user's.
    pub const INVALID_CREDENTIAL: Self = Self(65);
    /// The session is not known, or is over.
    pub const EXPIRED_SESSION: Self = Self(66);
    /// Nobody logged in on this connection.
    pub const NOT_AUTHENTICATED: Self = Self(80);
    /// A batch has more rows than `batch-max-requests`.
    pub const BATCH_MAX_REQUESTS: Self = Self(151);
}
