//! A database of its own for each test.

use crate::storage::Storage;
use crate::storage::field::new_id;

/// Connects to a fresh database; drop it with [`Storage::drop_database`].
pub(crate) async fn storage(name: &str) -> Storage {
    #[expect(clippy::disallowed_methods, reason = "tests take the server from the environment")]
    let uri = std::env::var("EIDER_TEST_MONGODB_URI").expect(
        "EIDER_TEST_MONGODB_URI is not set: run `scripts/test`, which starts a database, or set it",
    );
    Storage::connect(&uri, &format!("eider_unit_{name}_{}", new_id::<()>())).await.unwrap()
}
