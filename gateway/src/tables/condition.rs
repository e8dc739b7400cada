//! `If-Match` and `If-None-Match` on writes ("Conditional requests" in the S3 User Guide).

use super::TableError;
use crate::rows::ETag;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ETagMatch {
    /// `*`: whatever there is.
    Any,
    OneOf(Vec<ETag>),
}

impl ETagMatch {
    pub(super) fn holds(&self, etag: &ETag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(etags) => etags.contains(etag),
        }
    }
}

/// What must hold of the object that is there when the write is made; nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Precondition {
    pub(crate) if_match: Option<ETagMatch>,
    pub(crate) if_none_match: Option<ETagMatch>,
}

impl Precondition {
    /// `If-None-Match: *`: only if there is no object.
    #[cfg(test)]
    pub(crate) fn absent() -> Self {
        Self { if_match: None, if_none_match: Some(ETagMatch::Any) }
    }

    /// Decides against the tag of what is there; `None` where there is no object or a delete marker.
    pub(crate) fn check(&self, current: Option<&ETag>) -> Result<(), TableError> {
        match (&self.if_match, current) {
            (Some(_), None) => return Err(TableError::NoSuchKey),
            (Some(wanted), Some(etag)) if !wanted.holds(etag) => return Err(TableError::PreconditionFailed),
            _ => {}
        }
        match (&self.if_none_match, current) {
            (Some(unwanted), Some(etag)) if unwanted.holds(etag) => Err(TableError::PreconditionFailed),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_hold_as_s3_says() {
        let (one, two) = (ETag::single([1; 16]), ETag::single([2; 16]));
        let list = |etags: &[ETag]| Some(ETagMatch::OneOf(etags.to_vec()));
        let matching = |if_match| Precondition { if_match, if_none_match: None };
        assert!(Precondition::default().check(None).is_ok() && Precondition::default().check(Some(&one)).is_ok());
        assert!(Precondition::absent().check(None).is_ok());
        assert!(matches!(Precondition::absent().check(Some(&one)), Err(TableError::PreconditionFailed)));
        assert!(matching(list(&[two, one])).check(Some(&one)).is_ok());
        assert!(matches!(matching(list(&[two])).check(Some(&one)), Err(TableError::PreconditionFailed)));
        assert!(matches!(matching(list(&[two])).check(None), Err(TableError::NoSuchKey)));
        assert!(matches!(matching(Some(ETagMatch::Any)).check(None), Err(TableError::NoSuchKey)));
        let unless = Precondition { if_match: None, if_none_match: list(&[one]) };
        assert!(unless.check(Some(&two)).is_ok());
        assert!(matches!(unless.check(Some(&one)), Err(TableError::PreconditionFailed)));
    }
}
