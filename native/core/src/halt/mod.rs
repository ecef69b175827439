//! A person's last word (`audits/spec/halt.md`). Nothing here knows a realm: it asks this room, and this room asks nobody.

mod scope;

pub use scope::Scope;
