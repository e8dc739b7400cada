use super::*;

const PLAIN: RoutingRule = RoutingRule { condition: None, host: None, protocol: None, status: None, key: KeyChange::Kept };

fn on(prefix: Option<&str>, error: Option<u16>, rule: RoutingRule) -> RoutingRule {
    RoutingRule { condition: Some(RoutingCondition { prefix: prefix.map(str::to_owned), error }), ..rule }
}

fn prefix(new: &str) -> RoutingRule {
    RoutingRule { key: KeyChange::Prefix(new.to_owned()), ..PLAIN }
}

fn whole(new: &str) -> RoutingRule {
    RoutingRule { key: KeyChange::Whole(new.to_owned()), ..PLAIN }
}

fn pages(error: Option<&str>, rules: Vec<RoutingRule>) -> Pages {
    Pages { index: "index.html".to_owned(), error: error.map(str::to_owned), rules }
}

fn visit(key: &str) -> Visit<'_> {
    Visit { key, host: "b.web:9000", protocol: WebProtocol::Http }
}

/// The key looked for, or status and place of a redirect.
fn begun(website: &Website, key: &str) -> Result<String, (u16, String)> {
    match first(website, &visit(key)) {
        First::Look { key, .. } => Ok(key),
        First::Redirect(moved) => Err((moved.status, moved.location)),
    }
}

fn moved(status: u16, location: &str) -> Result<String, (u16, String)> {
    Err((status, location.to_owned()))
}

#[test]
fn a_folder_is_its_index() {
    let website = Website::Pages(pages(None, vec![]));
    for (key, looked_for) in [
        ("", "index.html"),
        ("a", "a"),
        ("a/", "a/index.html"),
        ("a/b.html", "a/b.html"),
        ("a//", "a//index.html"),
        ("/", "/index.html"),
    ] {
        assert_eq!(begun(&website, key), Ok(looked_for.to_owned()), "{key}");
    }
    let folder = |key| index_of_folder(&pages(None, vec![]), key);
    assert_eq!((folder("a"), folder("a/"), folder("")), (Some("a/index.html".to_owned()), None, None));
}

#[test]
fn all_requests_go_elsewhere_with_their_path() {
    let to = |protocol| Website::Elsewhere { host: "other.example".to_owned(), protocol };
    assert_eq!(begun(&to(None), ""), moved(301, "http://other.example/"));
    assert_eq!(begun(&to(Some(WebProtocol::Https)), "a b/\u{e9}?"), moved(301, "https://other.example/a%20b/%C3%A9%3F"));
    let over_tls = Visit { protocol: WebProtocol::Https, ..visit("a") };
    let website = to(None);
    let First::Redirect(moved) = first(&website, &over_tls) else { panic!("no redirect") };
    assert_eq!(moved.location, "https://other.example/a");
}

/// Among them the examples of "Configuring a webpage redirect".
#[test]
fn rules_about_keys_come_before_the_lookup_and_the_first_counts() {
    let rules = vec![
        on(Some("gone/"), Some(404), whole("not-yet")),
        on(Some("docs/"), None, prefix("documents/")),
        on(Some("docs/x"), None, whole("never")),
        on(Some("images/"), None, whole("folderdeleted.html")),
        on(Some("app/"), None, prefix("#!/")),
        on(Some("strip/"), None, prefix("")),
        on(Some("odd/"), None, prefix("a b\u{e9}\r\n%20/")),
        on(Some("kept/"), None, RoutingRule { protocol: Some(WebProtocol::Https), ..PLAIN }),
        on(Some("far/"), None, RoutingRule { host: Some("h".to_owned()), status: Some(307), ..PLAIN }),
    ];
    let website = Website::Pages(pages(None, rules));
    for (key, answer) in [
        ("", Ok("index.html".to_owned())),
        ("gone/a", Ok("gone/a".to_owned())),
        ("docs", Ok("docs".to_owned())),
        ("docs/", moved(301, "http://b.web:9000/documents/")),
        ("docs/x y", moved(301, "http://b.web:9000/documents/x%20y")),
        ("images/x", moved(301, "http://b.web:9000/folderdeleted.html")),
        ("app/a/b", moved(301, "http://b.web:9000/#!/a/b")),
        ("strip/a", moved(301, "http://b.web:9000/a")),
        ("odd/a", moved(301, "http://b.web:9000/a%20b%C3%A9%0D%0A%20/a")),
        ("kept/a", moved(301, "https://b.web:9000/kept/a")),
        ("far/a", moved(307, "http://h/far/a")),
    ] {
        assert_eq!(begun(&website, key), answer, "{key}");
    }
    let always = Website::Pages(pages(None, vec![whole("x")]));
    assert_eq!(begun(&always, "anything"), moved(301, "http://b.web:9000/x"));
}

#[test]
fn an_error_leads_to_a_rule_or_to_the_error_document() {
    let rules = vec![
        whole("never"),
        on(Some("docs/"), None, whole("never")),
        on(Some("images/"), Some(404), prefix("report/")),
        on(None, Some(503), whole("busy.html")),
        on(None, Some(404), prefix("report-404/")),
    ];
    let with_rules = pages(Some("error.html"), rules);
    let plain = pages(None, vec![]);
    let moved = |status, location: &str| Then::Redirect(Moved { status, location: location.to_owned() });
    for (pages, key, status, is_folder, then) in [
        (&with_rules, "images/x", 404, false, moved(301, "http://b.web:9000/report/x")),
        (&with_rules, "x", 404, false, moved(301, "http://b.web:9000/report-404/x")),
        (&with_rules, "x", 404, true, moved(302, "/x/")),
        (&with_rules, "x", 403, false, Then::Document("error.html")),
        (&with_rules, "x", 416, false, Then::Document("error.html")),
        (&with_rules, "x", 503, false, moved(301, "http://b.web:9000/busy.html")),
        (&with_rules, "x", 500, false, Then::Page),
        (&plain, "x", 404, false, Then::Page),
        (&plain, "a b", 403, true, moved(302, "/a%20b/")),
        (&plain, "/other.example", 404, true, moved(302, "/%2Fother.example/")),
    ] {
        assert_eq!(after_error(pages, &visit(key), status, is_folder), then, "{key} {status}");
    }
}
