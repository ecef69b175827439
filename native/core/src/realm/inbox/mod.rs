//! What agents of this process are sent: who is to have an entry, what waits for whom, and who is woken (agent.3, agent.5).
//!
//! An engine delivers what it has committed, and what it has taken in of others, in the order of the log; nothing else is ever delivered.

mod addressed;
mod bell;
mod delivering;
mod mailbox;
mod router;
mod shard;

pub use addressed::{Addressed, Whom};
pub use bell::Bell;
pub use delivering::{Consumed, Opening};
pub use router::{Held, Router, Taken};
