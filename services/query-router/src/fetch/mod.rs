//! Documents by id.

mod settings;

pub use settings::FetchSettings;
