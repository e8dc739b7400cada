//! Patterns of policies: `*` is any run of characters, `?` any one, and `${KEY}` is what the request says of a condition key.
//!
//! Source: "IAM policy elements: Variables and tags" in the IAM User Guide. What a variable stands for is plain text: a user who is called
//! `*` is not everybody.

use super::condition::Context;

/// One place of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Run,
    One,
    Only(char),
}

impl Sign {
    fn of(character: char) -> Self {
        match character {
            '*' => Self::Run,
            '?' => Self::One,
            other => Self::Only(other),
        }
    }
}

/// True if `text` is of the pattern, which has no variables.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    fits(&pattern.chars().map(Sign::of).collect::<Vec<_>>(), text)
}

/// As [`matches`], without regard to ASCII case.
pub(super) fn matches_any_case(pattern: &str, text: &str) -> bool {
    matches(&pattern.to_ascii_lowercase(), &text.to_ascii_lowercase())
}

/// As [`matches`], with variables if there are any. One that the request says nothing of, or several things, and that has no default matches nothing.
pub(super) fn matches_filled(pattern: &str, text: &str, context: &Context) -> bool {
    filled(pattern, Sign::of, context).is_some_and(|signs| fits(&signs, text))
}

/// What a text without wildcards but with variables says.
pub(super) fn spelled(text: &str, context: &Context) -> Option<String> {
    let signs = filled(text, Sign::Only, context)?;
    Some(signs.into_iter().filter_map(|sign| if let Sign::Only(character) = sign { Some(character) } else { None }).collect())
}

fn filled(pattern: &str, read: fn(char) -> Sign, context: &Context) -> Option<Vec<Sign>> {
    let mut signs = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((variable, behind)) = after.split_once('}') else { break };
        signs.extend(before.chars().map(read));
        signs.extend(value(variable, context)?.chars().map(Sign::Only));
        rest = behind;
    }
    signs.extend(rest.chars().map(read));
    Some(signs)
}

/// `${*}`, `${?}` and `${$}` are those characters; `${KEY, 'text'}` has a default.
fn value<'a>(variable: &'a str, context: &'a Context) -> Option<&'a str> {
    if ["*", "?", "$"].contains(&variable) {
        return Some(variable);
    }
    let (key, default) = variable.split_once(',').map_or((variable, None), |(key, default)| (key, Some(default)));
    let unquoted = |text: &'a str| text.trim().strip_prefix('\'')?.strip_suffix('\'');
    context.one(key.trim()).or_else(|| default.and_then(unquoted))
}

fn fits(pattern: &[Sign], text: &str) -> bool {
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut seen) = (0, 0);
    // Where the last run stands, and how much of the text it has swallowed up to.
    let mut run: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some(Sign::Run) => {
                run = Some((at, seen));
                at += 1;
            }
            Some(&sign) if sign == Sign::One || sign == Sign::Only(text[seen]) => {
                at += 1;
                seen += 1;
            }
            _ => match run {
                Some((place, swallowed)) => {
                    run = Some((place, swallowed + 1));
                    at = place + 1;
                    seen = swallowed + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|sign| *sign == Sign::Run)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The plain definition, exponential and plainly right.
    fn by_definition(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => by_definition(rest, text) || !text.is_empty() && by_definition(pattern, &text[1..]),
            ([sign, rest @ ..], [first, others @ ..]) => (*sign == '?' || sign == first) && by_definition(rest, others),
            _ => false,
        }
    }

    #[test]
    fn variables_stand_for_what_the_request_says() {
        let mut context = Context::default();
        context.add("aws:username", "b*b");
        for colour in ["red", "blue"] {
            context.add("s3:RequestObjectTagKeys", colour);
        }
        let fits = |pattern: &str, text: &str| matches_filled(pattern, text, &context);
        assert!(fits("home/${aws:UserName}/*", "home/b*b/x"));
        assert!(!fits("home/${aws:username}/*", "home/bob/x"), "a name is no pattern");
        assert!(!fits("home/${aws:userid}/*", "home//x") && !fits("${aws:userid}*", "x"), "nothing is said of it");
        assert!(!fits("${s3:RequestObjectTagKeys}", "red"), "two things are said of it");
        assert!(fits("home/${aws:userid, 'guest'}/*", "home/guest/x"));
        assert!(fits("${*}${?}${$}*", "*?$a") && !fits("${*}", "a"));
        assert!(fits("${aws:username", "${aws:username") && fits("a${", "a${"), "no variable");
        assert_eq!(spelled("*${aws:username}?", &context).as_deref(), Some("*b*b?"));
    }

    proptest! {
        #[test]
        fn it_is_what_the_definition_says(pattern in "[ab*?]{0,8}", text in "[abc]{0,10}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &text), by_definition(&chars(&pattern), &chars(&text)));
        }
    }

    #[test]
    fn many_stars_are_matched_in_no_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(matches_any_case("s3:get*", "s3:GetObject"));
    }
}
