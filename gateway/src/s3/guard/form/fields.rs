//! The fields of a form: names without case, each name once.

use super::multipart::{malformed, too_long};
use crate::s3::guard::refusal::Refusal;
use crate::s3::limits::{FORM_BYTES_MAX, FORM_FIELDS_MAX};

const FILENAME: &str = "${filename}";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    /// Lower case.
    pub(crate) name: String,
    /// As the client spelt it.
    pub(crate) sent: String,
    pub(crate) value: String,
}

/// In the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<Field>);

impl Fields {
    /// Fields of the same name become one, their values with commas between.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let lower = name.to_ascii_lowercase();
        let full = self.0.len() == FORM_FIELDS_MAX;
        match self.0.iter_mut().find(|field| field.name == lower) {
            Some(field) => {
                field.value.push(',');
                field.value.push_str(value);
            }
            None if full => return Err(malformed()),
            None => self.0.push(Field { name: lower, sent: name.to_owned(), value: value.to_owned() }),
        }
        Ok(())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|field| field.name == name).map(|field| field.value.as_str())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// Puts the file's name where a field has `${filename}`. Without one it stays as it is, which is what S3 does.
    pub(crate) fn expand(&mut self, filename: Option<&str>) -> Result<(), Refusal> {
        let Some(filename) = filename else { return Ok(()) };
        for field in &mut self.0 {
            let times = field.value.matches(FILENAME).count();
            if times.saturating_mul(filename.len()) > FORM_BYTES_MAX {
                return Err(too_long());
            }
            if times > 0 {
                field.value = field.value.replace(FILENAME, filename);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) fn fields(pairs: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::default();
    pairs.iter().for_each(|(name, value)| fields.add(name, value).expect("few fields"));
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_repeated_ones_join() {
        let fields = fields(&[("X-Amz-Meta-Tag", "Ninja"), ("x-amz-meta-tag", "Stallman")]);
        assert_eq!(fields.get("x-amz-meta-tag"), Some("Ninja,Stallman"));
        assert_eq!(fields.iter().map(|field| field.sent.as_str()).collect::<Vec<_>>(), ["X-Amz-Meta-Tag"]);
    }

    #[test]
    fn the_file_name_is_filled_in_where_there_is_one() {
        let mut given = fields(&[("key", "a/${filename}-${filename}")]);
        given.expand(None).expect("few bytes");
        assert_eq!(given.get("key"), Some("a/${filename}-${filename}"));
        given.expand(Some("f")).expect("few bytes");
        assert_eq!(given.get("key"), Some("a/f-f"));
    }

    #[test]
    fn a_form_cannot_be_blown_up_by_its_file_name() {
        let mut given = fields(&[("key", &FILENAME.repeat(1000))]);
        assert_eq!(
            given.expand(Some(&"f".repeat(1000))).map_err(|refusal| refusal.code),
            Err("MaxPostPreDataLengthExceeded".into())
        );
    }

    #[test]
    fn fields_are_few() {
        let mut given = Fields::default();
        let added = (0..=FORM_FIELDS_MAX).try_for_each(|number| given.add(&number.to_string(), ""));
        assert_eq!(added.map_err(|refusal| refusal.code), Err("MalformedPOSTRequest".into()));
    }
}
