//! Storage classes: names that objects carry, and the codes that their parts are stored by.

use std::collections::BTreeMap;

use nodio_wire::CodePolicy;

/// What an object is without a class of its own.
pub(crate) const STANDARD: &str = "STANDARD";
/// The others that `x-amz-storage-class` may name. Source: "Understanding and managing Amazon S3 storage classes" in the S3 User Guide;
/// those for one zone's own endpoints and outposts aren't built.
pub(crate) const OTHERS: [&str; 7] =
    ["REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE", "GLACIER_IR"];

/// The code of new parts by the class of their object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Codes {
    standard: CodePolicy,
    others: BTreeMap<String, CodePolicy>,
}

impl Codes {
    pub(crate) fn new(standard: CodePolicy, others: BTreeMap<String, CodePolicy>) -> Self {
        Self { standard, others }
    }

    /// `None` is STANDARD; a class that has no code of its own is stored like that.
    pub(crate) fn of(&self, class: Option<&str>) -> CodePolicy {
        class.and_then(|class| self.others.get(class)).copied().unwrap_or(self.standard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_without_a_code_of_its_own_is_stored_as_standard_is() {
        let policy = |text: &str| text.parse::<CodePolicy>().expect("a code");
        let codes = Codes::new(policy("4/6"), [("REDUCED_REDUNDANCY".to_owned(), policy("4/5"))].into());
        assert_eq!(codes.of(None), policy("4/6"));
        assert_eq!(codes.of(Some("STANDARD_IA")), policy("4/6"));
        assert_eq!(codes.of(Some("REDUCED_REDUNDANCY")), policy("4/5"));
    }
}
