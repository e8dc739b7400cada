//! Users: listed, found by what people call them, and told apart.

use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange};

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::names::UserId;
use crate::rows::UserRow;

impl Tables {
    /// Policies name people by id or by login name, so one user's id is never another one's name.
    pub(super) async fn plan_unmistakable(&self, plan: &mut Plan, name: &str, id: &UserId) -> Result<(), TableError> {
        let named_so = keyspace::user_name(id.as_str());
        let with_it_as_id = UserId::parse(name).ok().map(|name| keyspace::user(&name));
        for key in [Some(named_so), with_it_as_id].into_iter().flatten() {
            if self.store.get(&key).await?.is_some() {
                return Err(TableError::BadAccessKey("another user's login name, or id, is the same"));
            }
            plan.absent(key);
        }
        Ok(())
    }

    /// Users by id, after `after`, at most `limit`.
    pub(crate) async fn all_users(&self, after: Option<&UserId>, limit: usize) -> Result<Vec<UserRow>, TableError> {
        let mut range = KeyRange::prefix(keyspace::USERS);
        if let Some(after) = after {
            range = range.starting_after(keyspace::user(after));
        }
        let rows = self.store.scan(range, limit, Direction::Ascending).await?;
        rows.iter().map(|row| Ok(decode(&row.value)?)).collect()
    }

    /// The user with this login name or, if there is none, with this id.
    ///
    /// # Errors
    /// [`TableError::NoSuchUser`].
    pub(crate) async fn user_called(&self, text: &str) -> Result<UserRow, TableError> {
        let by_name = self.store.get(&keyspace::user_name(text)).await?;
        let id = match &by_name {
            Some(found) => std::str::from_utf8(&found.value).unwrap_or_default(),
            None => text,
        };
        let id = UserId::parse(id).map_err(|_| TableError::NoSuchUser)?;
        self.user(&id).await?.ok_or(TableError::NoSuchUser)
    }
}
