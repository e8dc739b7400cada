//! The condition keys that a policy may ask for: S3 refuses a policy that asks for others, for a Deny that can never hold protects nothing.
//!
//! Source: "Condition keys for Amazon S3" in the Service Authorization Reference, "AWS global condition context keys" in the IAM User
//! Guide.

/// Those that a request may have a value for. Lower case.
const KNOWN: &[&str] = &[
    "aws:currenttime",
    "aws:epochtime",
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:referer",
    "aws:securetransport",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:useragent",
    "aws:userid",
    "aws:username",
    "s3:authtype",
    "s3:delimiter",
    "s3:if-match",
    "s3:if-none-match",
    "s3:max-keys",
    "s3:object-lock-legal-hold",
    "s3:object-lock-mode",
    "s3:object-lock-retain-until-date",
    "s3:prefix",
    "s3:requestobjecttagkeys",
    "s3:signatureversion",
    "s3:versionid",
    "s3:x-amz-acl",
    "s3:x-amz-content-sha256",
    "s3:x-amz-copy-source",
    "s3:x-amz-grant-full-control",
    "s3:x-amz-grant-read",
    "s3:x-amz-grant-read-acp",
    "s3:x-amz-grant-write",
    "s3:x-amz-grant-write-acp",
    "s3:x-amz-metadata-directive",
    "s3:x-amz-object-ownership",
    "s3:x-amz-server-side-encryption",
    "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "s3:x-amz-server-side-encryption-customer-algorithm",
    "s3:x-amz-storage-class",
    "s3:x-amz-website-redirect-location",
    // What no request here has, as no request to S3 has it that comes from without a VPC, an organization or a session.
    "aws:multifactorauthage",
    "aws:multifactorauthpresent",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:viaawsservice",
    "aws:vpcsourceip",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
];
const FAMILIES: [&str; 2] = ["s3:existingobjecttag/", "s3:requestobjecttag/"];

/// `key` in lower case.
pub(super) fn is_known(key: &str) -> bool {
    KNOWN.contains(&key) || FAMILIES.iter().any(|family| key.len() > family.len() && key.starts_with(family))
}

#[cfg(test)]
mod tests {
    use super::is_known;

    #[test]
    fn keys_are_known_by_name_or_family() {
        for key in ["s3:prefix", "aws:sourceip", "s3:existingobjecttag/a", "s3:requestobjecttag/a"] {
            assert!(is_known(key), "{key}");
        }
        for key in ["s3:prefixes", "aws:", "ec2:region", "s3:existingobjecttag/", "s3:existingobjecttag", ""] {
            assert!(!is_known(key), "{key}");
        }
    }
}
