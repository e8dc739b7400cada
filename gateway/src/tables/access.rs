//! Users and their access keys. Secrets are sealed under the master key; open ones live in a small cache for a few seconds.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nodio_meta::row::decode;
use nodio_meta::{Direction, KeyRange, Outcome, Version};
use nodio_wire::UnixMs;
use nodio_wire::auth::random_bytes;
use zeroize::Zeroizing;

use super::plan::Plan;
use super::{TableError, Tables, keyspace};
use crate::access::Policy;
use crate::names::UserId;
use crate::rows::{AccessKeyRow, UserRow};

/// How long a revoked key may go on working at another gateway, or in a request that is under way here.
const CACHE_MS: u64 = 5_000;
const CACHE_KEYS_MAX: usize = 4096;
const SCAN_ROWS: usize = 1000;
const ACCESS_KEY_PREFIX: &str = "NO";
const ACCESS_KEY_CHARS: usize = 20;
const SECRET_CHARS: usize = 40;
const UPPER: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const MIXED: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A key to make.
#[derive(Clone, Default)]
pub struct NewKey {
    /// Login name, made if there is no such user yet.
    pub user: String,
    /// Of a new user; the login name unless given.
    pub display_name: Option<String>,
    /// Access key and secret, made up unless given.
    pub given: Option<(String, Zeroizing<String>)>,
    /// Of a new user; made up unless given.
    pub user_id: Option<String>,
    /// Of a new user.
    pub email: Option<String>,
    /// A policy without principals that narrows what the key may do.
    pub policy: Option<String>,
}

/// A key and its secret, to be shown to its owner once.
#[derive(Clone)]
pub struct AccessKey {
    pub info: KeyInfo,
    pub secret: Zeroizing<String>,
}

/// What may be told of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    pub access_key: String,
    pub user: String,
    pub display_name: String,
    /// The canonical user id.
    pub user_id: String,
    /// Milliseconds since 1970.
    pub created: UnixMs,
    pub revoked: Option<UnixMs>,
}

/// Who signs with a key, and with what.
pub(crate) struct Credentials {
    pub(crate) user: Arc<UserRow>,
    pub(crate) secret: Zeroizing<String>,
    /// What the key is narrowed to.
    pub(crate) policy: Option<Arc<Policy>>,
}

/// Open secrets, briefly.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<String, (UnixMs, Arc<Credentials>)>>);

impl Cache {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (UnixMs, Arc<Credentials>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, access_key: &str, now: UnixMs) -> Option<Arc<Credentials>> {
        let cached = self.lock();
        let (read, found) = cached.get(access_key)?;
        (now.abs_diff(*read) < CACHE_MS).then(|| found.clone())
    }

    fn put(&self, access_key: &str, found: &Arc<Credentials>, now: UnixMs) {
        let mut cached = self.lock();
        if cached.len() >= CACHE_KEYS_MAX {
            cached.clear();
        }
        cached.insert(access_key.to_owned(), (now, found.clone()));
    }

    fn forget(&self, access_key: &str) {
        self.lock().remove(access_key);
    }
}

impl Tables {
    /// Makes a key. A given key that exists already with this user and secret is answered as it is.
    ///
    /// # Errors
    /// [`TableError::BadAccessKey`] says what is wrong with a name or a given key; [`TableError::AccessKeyTaken`].
    pub async fn create_key(&self, new: &NewKey, now: UnixMs) -> Result<AccessKey, TableError> {
        new.user_id.as_deref().map(checked_id).transpose()?;
        check_user_name(&new.user)?;
        check_policy(new.policy.as_deref())?;
        let (access_key, secret) = match &new.given {
            Some((access_key, secret)) => (checked_access_key(access_key)?, checked_secret(secret)?),
            None => (random_access_key(), Zeroizing::new(random_text(SECRET_CHARS, MIXED))),
        };
        self.change(|| async {
            let mut plan = Plan::default();
            let user = self.plan_user(&mut plan, new, now).await?;
            let row_key = keyspace::access_key(&access_key);
            if let Some((there, _)) = self.row::<AccessKeyRow>(&row_key).await? {
                return self.same_key(&there, user, &secret, new.policy.as_ref()).map(Outcome::Done);
            }
            let row = AccessKeyRow {
                access_key: access_key.clone(),
                secret_sealed: self.master.seal_secret(&access_key, &secret),
                user: user.id.clone(),
                created: now,
                revoked: None,
                policy: new.policy.clone(),
            };
            plan.absent(row_key.clone());
            plan.put(row_key, &row);
            let key = AccessKey { info: info(&row, &user), secret: secret.clone() };
            Ok(Outcome::Commit(plan.into_commit(), key))
        })
        .await
    }

    /// The user of this key and its secret; `None` for an unknown or revoked key.
    pub(crate) async fn find_key(&self, access_key: &str, now: UnixMs) -> Result<Option<Arc<Credentials>>, TableError> {
        if let Some(cached) = self.credentials.get(access_key, now) {
            return Ok(Some(cached));
        }
        let found = self.row::<AccessKeyRow>(&keyspace::access_key(access_key)).await?;
        let Some((row, _)) = found.filter(|(row, _)| row.revoked.is_none()) else { return Ok(None) };
        let secret = self.master.open_secret(&row.access_key, &row.secret_sealed)?;
        let Some(user) = self.user(&row.user).await? else { return Ok(None) };
        let narrowed = |text: String| Policy::of_key(&text).unwrap_or_else(|_| Policy::nothing());
        let policy = row.policy.map(narrowed).map(Arc::new);
        let found = Arc::new(Credentials { user: Arc::new(user), secret, policy });
        self.credentials.put(access_key, &found, now);
        Ok(Some(found))
    }

    /// The user with this canonical id.
    pub(crate) async fn user(&self, id: &UserId) -> Result<Option<UserRow>, TableError> {
        Ok(self.row(&keyspace::user(id)).await?.map(|(row, _)| row))
    }

    /// All keys, revoked ones too, by access key.
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, TableError> {
        let mut range = KeyRange::prefix(keyspace::ACCESS_KEYS);
        let mut keys = Vec::new();
        loop {
            let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
            for row in &rows {
                let row: AccessKeyRow = decode(&row.value)?;
                if let Some(user) = self.user(&row.user).await? {
                    keys.push(info(&row, &user));
                }
            }
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS => range = range.starting_after(last.key.clone()),
                _ => return Ok(keys),
            }
        }
    }

    /// Ends a key for ever. Revoking it again changes nothing.
    ///
    /// # Errors
    /// [`TableError::NoSuchAccessKey`].
    pub async fn revoke_key(&self, access_key: &str, now: UnixMs) -> Result<KeyInfo, TableError> {
        let key = keyspace::access_key(access_key);
        let revoked = self.change(|| async {
            let (mut row, version): (AccessKeyRow, Version) = self.row(&key).await?.ok_or(TableError::NoSuchAccessKey)?;
            let user = self.user(&row.user).await?.ok_or(TableError::NoSuchAccessKey)?;
            if row.revoked.is_some() {
                return Ok(Outcome::Done(info(&row, &user)));
            }
            row.revoked = Some(now);
            let mut plan = Plan::default();
            plan.at(key.clone(), version);
            plan.put(key.clone(), &row);
            Ok(Outcome::Commit(plan.into_commit(), info(&row, &user)))
        });
        let revoked = revoked.await;
        self.credentials.forget(access_key);
        revoked
    }

    /// The user with this e-mail address.
    pub(crate) async fn user_by_email(&self, email: &str) -> Result<Option<UserRow>, TableError> {
        let mut range = KeyRange::prefix(keyspace::USERS);
        loop {
            let rows = self.store.scan(range.clone(), SCAN_ROWS, Direction::Ascending).await?;
            for row in &rows {
                let user: UserRow = decode(&row.value)?;
                if user.email.as_deref().is_some_and(|given| given.eq_ignore_ascii_case(email)) {
                    return Ok(Some(user));
                }
            }
            match rows.last() {
                Some(last) if rows.len() == SCAN_ROWS => range = range.starting_after(last.key.clone()),
                _ => return Ok(None),
            }
        }
    }

    /// The user of this name, made if there is none.
    async fn plan_user(&self, plan: &mut Plan, new: &NewKey, now: UnixMs) -> Result<UserRow, TableError> {
        let name_key = keyspace::user_name(&new.user);
        if let Some(found) = self.store.get(&name_key).await? {
            let malformed = || TableError::Malformed(new.user.clone());
            let id = std::str::from_utf8(&found.value).ok().and_then(|id| UserId::parse(id).ok()).ok_or_else(malformed)?;
            let user = self.user(&id).await?.ok_or_else(malformed)?;
            let another = |given: &Option<String>, is: Option<&str>| given.is_some() && given.as_deref() != is;
            if another(&new.user_id, Some(user.id.as_str())) || another(&new.email, user.email.as_deref()) {
                return Err(TableError::BadAccessKey("there is a user of this name with another id or e-mail address"));
            }
            return Ok(user);
        }
        let id = self.free_id(new.user_id.as_deref()).await?;
        self.plan_unmistakable(plan, &new.user, &id).await?;
        if let Some(email) = &new.email
            && self.user_by_email(email).await?.is_some()
        {
            return Err(TableError::BadAccessKey("there is another user with this e-mail address"));
        }
        let user = UserRow {
            id,
            name: new.user.clone(),
            display_name: new.display_name.clone().unwrap_or_else(|| new.user.clone()),
            email: new.email.clone(),
            created: now,
        };
        plan.absent(name_key.clone());
        plan.absent(keyspace::user(&user.id));
        plan.put_bytes(name_key, user.id.as_str().to_owned().into());
        plan.put(keyspace::user(&user.id), &user);
        Ok(user)
    }

    async fn free_id(&self, given: Option<&str>) -> Result<UserId, TableError> {
        let Some(given) = given else { return Ok(UserId::random()) };
        let id = checked_id(given)?;
        if id == UserId::anonymous() || self.user(&id).await?.is_some() {
            return Err(TableError::BadAccessKey("there is another user with this id"));
        }
        Ok(id)
    }

    fn same_key(
        &self,
        there: &AccessKeyRow,
        user: UserRow,
        secret: &str,
        policy: Option<&String>,
    ) -> Result<AccessKey, TableError> {
        if there.user != user.id || there.revoked.is_some() || there.policy.as_ref() != policy {
            return Err(TableError::AccessKeyTaken);
        }
        let stored = self.master.open_secret(&there.access_key, &there.secret_sealed)?;
        if *stored != *secret {
            return Err(TableError::AccessKeyTaken);
        }
        Ok(AccessKey { info: info(there, &user), secret: stored })
    }
}

fn info(row: &AccessKeyRow, user: &UserRow) -> KeyInfo {
    KeyInfo {
        access_key: row.access_key.clone(),
        user: user.name.clone(),
        display_name: user.display_name.clone(),
        user_id: user.id.as_str().to_owned(),
        created: row.created,
        revoked: row.revoked,
    }
}

fn check_user_name(name: &str) -> Result<(), TableError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
    if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) {
        return Err(TableError::BadAccessKey("a user name has 1 to 64 letters, digits or any of + = , . @ _ -"));
    }
    Ok(())
}

fn checked_id(id: &str) -> Result<UserId, TableError> {
    let bad = |_| TableError::BadAccessKey("a user id has 1 to 64 letters, digits, dots, underscores or hyphens");
    UserId::parse(id).map_err(bad)
}

fn check_policy(policy: Option<&str>) -> Result<(), TableError> {
    let bad = |_| {
        TableError::BadAccessKey(
            "a key's policy is JSON with an allowing or denying Statement, no Principal, and no unknown condition",
        )
    };
    policy.map_or(Ok(()), |policy| Policy::of_key(policy).and_then(|policy| policy.check_keys()).map_err(bad))
}

fn checked_access_key(id: &str) -> Result<String, TableError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !(3..=128).contains(&id.len()) || !id.bytes().all(allowed) {
        return Err(TableError::BadAccessKey("an access key has 3 to 128 letters, digits, dots, underscores or hyphens"));
    }
    Ok(id.to_owned())
}

fn checked_secret(secret: &Zeroizing<String>) -> Result<Zeroizing<String>, TableError> {
    if !(8..=128).contains(&secret.len()) || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(TableError::BadAccessKey("a secret key has 8 to 128 printable ASCII characters without spaces"));
    }
    Ok(secret.clone())
}

fn random_access_key() -> String {
    ACCESS_KEY_PREFIX.to_owned() + &random_text(ACCESS_KEY_CHARS - ACCESS_KEY_PREFIX.len(), UPPER)
}

/// Characters of the alphabet, each equally likely: bytes past its last whole multiple are thrown away.
fn random_text(chars: usize, alphabet: &[u8]) -> String {
    let fair = 256 - 256 % alphabet.len();
    let bytes = std::iter::repeat_with(random_bytes::<64>).flatten().map(usize::from);
    bytes.filter(|byte| *byte < fair).take(chars).map(|byte| char::from(alphabet[byte % alphabet.len()])).collect()
}

impl fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessKey").field("info", &self.info).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user.name).finish_non_exhaustive()
    }
}
