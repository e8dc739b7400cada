//! Where a master key comes from: a key file, the environment, or a passphrase.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use argon2::{Algorithm, Argon2, Params, Version};
use nodio_wire::auth::random_bytes;
use zeroize::Zeroizing;

use super::{KeyError, MasterKey};

/// The environment variable with a master key's 64 hex digits.
pub const MASTER_KEY_ENV: &str = "NODIO_MASTER_KEY";

/// Shortest passphrase taken, characters.
const PASSPHRASE_CHARS_MIN: usize = 12;
/// argon2id's cost for a new salt file; an old one keeps the cost written in it.
const ARGON2_MEMORY_KIB: u32 = 64 * 1024;
const ARGON2_PASSES: u32 = 3;
const SALT_FORMAT: &str = "nodio-salt-1";

/// Where to load a master key from.
#[derive(Clone)]
pub enum KeySource {
    /// A file of 64 hex digits that only its owner can read.
    File(PathBuf),
    /// [`MASTER_KEY_ENV`].
    Env,
    /// argon2id over the passphrase. The salt file is made where it is missing; without that very file the passphrase opens nothing.
    Passphrase { passphrase: Zeroizing<String>, salt_file: PathBuf },
}

impl MasterKey {
    /// Loads the key. Blocks: for argon2id about a quarter of a second.
    ///
    /// # Errors
    /// Says what is missing, malformed or readable by others, and where.
    pub fn load(source: &KeySource) -> Result<Self, KeyError> {
        match source {
            KeySource::File(path) => from_file(path),
            KeySource::Env => from_env(),
            KeySource::Passphrase { passphrase, salt_file } => from_passphrase(passphrase, salt_file),
        }
    }

    /// Makes a new random key and keeps it in a new file (0600), durably.
    ///
    /// # Errors
    /// [`KeyError::Exists`] when there is a file already.
    pub fn create(path: &Path) -> Result<Self, KeyError> {
        let key = Self::new(random_bytes());
        let text = Zeroizing::new(format!("{}\n", Zeroizing::new(hex::encode(key.as_bytes())).as_str()));
        create_private(path, &text)?;
        Ok(key)
    }

    /// Reads 64 hex digits, surrounding white space allowed. `place` says in an error where they stood.
    pub fn from_hex(text: &str, place: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), bytes.as_mut_slice()).map_err(|_| KeyError::Malformed(place.to_owned()))?;
        Ok(Self::new(*bytes))
    }
}

fn from_env() -> Result<MasterKey, KeyError> {
    let text = std::env::var(MASTER_KEY_ENV).map_err(|_| KeyError::Missing(MASTER_KEY_ENV.to_owned()))?;
    MasterKey::from_hex(&Zeroizing::new(text), MASTER_KEY_ENV)
}

fn from_file(path: &Path) -> Result<MasterKey, KeyError> {
    let text = read_private(path)?.ok_or_else(|| KeyError::Missing(shown(path)))?;
    MasterKey::from_hex(&text, &shown(path))
}

fn from_passphrase(passphrase: &str, salt_file: &Path) -> Result<MasterKey, KeyError> {
    if passphrase.chars().count() < PASSPHRASE_CHARS_MIN {
        return Err(KeyError::PassphraseTooShort(PASSPHRASE_CHARS_MIN));
    }
    let text = match read_private(salt_file)? {
        Some(text) => text,
        None => new_salt(salt_file)?,
    };
    let (params, salt) = parse_salt(&text).ok_or_else(|| KeyError::Io(shown(salt_file), "not a salt file".to_owned()))?;
    let mut bytes = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hashed = argon2.hash_password_into(passphrase.as_bytes(), &salt, bytes.as_mut_slice());
    hashed.map_err(|err| KeyError::Passphrase(err.to_string()))?;
    Ok(MasterKey::new(*bytes))
}

/// One line: format, KiB of memory, passes, salt.
fn new_salt(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let salt = hex::encode(random_bytes::<16>());
    let text = format!("{SALT_FORMAT} {ARGON2_MEMORY_KIB} {ARGON2_PASSES} {salt}\n");
    create_private(path, &text)?;
    Ok(Zeroizing::new(text))
}

fn parse_salt(text: &str) -> Option<(Params, Vec<u8>)> {
    let fields: Vec<&str> = text.split_whitespace().collect();
    let [SALT_FORMAT, memory_kib, passes, salt] = fields.as_slice() else { return None };
    let params = Params::new(memory_kib.parse().ok()?, passes.parse().ok()?, 1, Some(32)).ok()?;
    let salt = hex::decode(salt).ok().filter(|salt| salt.len() >= 16)?;
    Some((params, salt))
}

/// A file's text; refused if anybody but its owner can read or change it.
fn read_private(path: &Path) -> Result<Option<Zeroizing<String>>, KeyError> {
    let meta = match fs::metadata(path) {
        Ok(meta) => meta,
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(io_error(path, &err)),
    };
    if meta.mode() & 0o077 != 0 {
        return Err(KeyError::Exposed(shown(path)));
    }
    let text = fs::read_to_string(path).map_err(|err| io_error(path, &err))?;
    Ok(Some(Zeroizing::new(text)))
}

/// Writes a file that wasn't there, readable by its owner alone, and makes it and its name durable.
fn create_private(path: &Path, text: &str) -> Result<(), KeyError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        sync_folder(path)
    });
    written.map_err(|err| match err.kind() {
        io::ErrorKind::AlreadyExists => KeyError::Exists(shown(path)),
        _ => io_error(path, &err),
    })
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder)?.sync_all()
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn io_error(path: &Path, err: &io::Error) -> KeyError {
    KeyError::Io(shown(path), err.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_private_reads_back_and_is_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let source = KeySource::File(path.clone());
        assert!(matches!(MasterKey::load(&source), Err(KeyError::Missing(_))));
        let key = MasterKey::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(MasterKey::load(&source), Ok(key.clone()));
        assert!(matches!(MasterKey::create(&path), Err(KeyError::Exists(_))));
        assert_eq!(MasterKey::load(&source), Ok(key));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKey::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = MasterKey::load(&KeySource::File(path.clone())).unwrap_err();
            assert!(refused.to_string().contains("chmod 600"), "{refused}");
        }
    }

    #[test]
    fn text_that_is_no_key_is_refused_with_its_place() {
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64), &"0".repeat(66)] {
            assert_eq!(MasterKey::from_hex(bad, "here"), Err(KeyError::Malformed("here".to_owned())));
        }
        assert!(MasterKey::from_hex(&format!(" {}\n", "0a".repeat(32)), "here").is_ok());
    }

    fn passphrase(text: &str, salt_file: &Path) -> Result<MasterKey, KeyError> {
        let passphrase = Zeroizing::new(text.to_owned());
        MasterKey::load(&KeySource::Passphrase { passphrase, salt_file: salt_file.to_owned() })
    }

    #[test]
    fn a_passphrase_gives_the_same_key_again_with_the_same_salt_file_only() {
        let dir = tempfile::tempdir().unwrap();
        let (salt, other) = (dir.path().join("salt"), dir.path().join("other"));
        let key = passphrase("correct horse battery", &salt).unwrap();
        assert_eq!(passphrase("correct horse battery", &salt), Ok(key.clone()));
        assert_ne!(passphrase("correct horse batterz", &salt).unwrap(), key);
        assert_ne!(passphrase("correct horse battery", &other).unwrap(), key);
        assert!(matches!(passphrase("short", &salt), Err(KeyError::PassphraseTooShort(_))));
        fs::write(&salt, "rubbish").unwrap();
        assert!(matches!(passphrase("correct horse battery", &salt), Err(KeyError::Io(..))));
    }

    /// A salt file of today and its passphrase give the same key tomorrow.
    #[test]
    fn a_passphrase_of_long_ago_still_gives_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let salt = dir.path().join("salt");
        create_private(&salt, "nodio-salt-1 256 2 000102030405060708090a0b0c0d0e0f\n").unwrap();
        let key = passphrase("correct horse battery", &salt).unwrap();
        assert_eq!(hex::encode(key.as_bytes()), "b540e933ac366ebfb7b273567de99665c677cde1b15bae2ad7912b7043ec031a");
    }
}
