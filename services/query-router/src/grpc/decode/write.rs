//! Answers to writes.

use layer_proto::router::v1::WriteResponse;
use layer_proto::types::v1::Id;

use super::object::{self, Object, Unreadable, list};
use super::performance;

/// What a write did.
pub(in crate::grpc) fn write(body: &[u8]) -> Result<WriteResponse, Unreadable> {
    let mut object = Object::parse(body)?;
    // Always "OK": the status of the answer says so already.
    object.plain::<String>("status");
    Ok(WriteResponse {
        upserted_ids: ids(&mut object, "upserted_ids")?,
        patched_ids: ids(&mut object, "patched_ids")?,
        deleted_ids: ids(&mut object, "deleted_ids")?,
        message: object.plain("message").unwrap_or_default(),
        rows_affected: object.count("rows_affected").unwrap_or_default(),
        rows_upserted: object.count("rows_upserted").unwrap_or_default(),
        rows_patched: object.count("rows_patched").unwrap_or_default(),
        rows_deleted: object.count("rows_deleted").unwrap_or_default(),
        rows_remaining: object.plain("rows_remaining"),
        billing: object.take("billing", performance::write_billing),
        performance: object.take("performance", performance::write_performance),
        additional_fields: object.rest(),
    })
}

fn ids(object: &mut Object<'_>, name: &'static str) -> Result<Vec<Id>, Unreadable> {
    Ok(object.require(name, |raw| list(raw, object::id))?.unwrap_or_default())
}
