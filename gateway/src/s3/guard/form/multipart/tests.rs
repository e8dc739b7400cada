use super::*;
use proptest::prelude::*;

fn boundary() -> Boundary {
    Boundary::of("multipart/form-data; boundary=xyz").expect("a form").expect("a boundary")
}

type Read = (Vec<(String, String)>, Option<String>, Vec<u8>);

/// Reads a form that comes in pieces of `step` bytes.
fn read(form: &[u8], step: usize) -> Result<Option<Read>, String> {
    let mut head = Head::new(boundary());
    for (at, piece) in form.chunks(step).enumerate() {
        let found = head.push(piece).map_err(|refusal| refusal.code.into_owned())?;
        if let Some(file) = found {
            let (fields, mut rest) = head.finish();
            rest.extend_from_slice(&form[((at + 1) * step).min(form.len())..]);
            let fields = fields.iter().map(|field| (field.name.clone(), field.value.clone())).collect();
            return Ok(Some((fields, file.name, rest)));
        }
    }
    Ok(None)
}

const FORM: &str = "--xyz\r\nContent-Disposition: form-data; name=\"kEy\"\r\n\r\na/b\r\n--xyz \t\r\n\
    content-disposition: FORM-DATA; filename=x; name=acl\r\nContent-Type: text/plain\r\n\r\nprivate\r\nx\r\n--xyz\r\n\
    Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\na\\\"me.txt\"\r\n\r\nbytes\r\n--xyz--";

#[test]
fn a_form_is_the_same_however_it_is_cut() {
    let fields = vec![("key".to_owned(), "a/b".to_owned()), ("acl".to_owned(), "private\r\nx".to_owned())];
    let whole: Read = (fields, Some("na\"me.txt".into()), b"bytes\r\n--xyz--".to_vec());
    for step in 1..=FORM.len() {
        assert_eq!(read(FORM.as_bytes(), step), Ok(Some(whole.clone())), "in pieces of {step}");
    }
    let preamble = format!("ignored\r\n{FORM}");
    assert_eq!(read(preamble.as_bytes(), 7), Ok(Some(whole)));
}

#[test]
fn forms_that_are_none_are_refused() {
    let part = |head: &str| format!("--xyz\r\n{head}\r\n\r\nvalue\r\n--xyz\r\n");
    for (form, code) in [
        (part("Content-Type: text/plain"), "MalformedPOSTRequest"),
        (part(""), "MalformedPOSTRequest"),
        (part("Content-Disposition: form-data"), "MalformedPOSTRequest"),
        (part("Content-Disposition: form-data; name=\"a"), "MalformedPOSTRequest"),
        (part("Content-Disposition: file; name=\"file\""), "MalformedPOSTRequest"),
        ("--xyzz\r\n".into(), "MalformedPOSTRequest"),
        ("--xyz--\r\n".into(), "InvalidArgument"),
        (part("Content-Disposition: form-data; name=a") + "--xyz--", "MalformedPOSTRequest"),
        ("x".repeat(FORM_BYTES_MAX), "MaxPostPreDataLengthExceeded"),
    ] {
        let code = Err(code.to_owned());
        let shown = &form[..form.len().min(80)];
        let got = read(form.as_bytes(), 3);
        if got != code {
            assert_eq!(read(format!("{form}\r\n\r\n").as_bytes(), 3), code, "{shown}");
        }
    }
}

#[test]
fn boundaries_come_with_and_without_quotes() {
    let of = |text: &str| Boundary::of(text).map(|boundary| boundary.ok().map(|boundary| boundary.0));
    assert_eq!(of("text/plain"), None);
    assert_eq!(of("Multipart/Form-Data; charset=utf-8; Boundary=\"a b\""), Some(Some(b"\r\n--a b".to_vec())));
    for bad in
        ["multipart/form-data", "multipart/form-data; boundary=", &format!("multipart/form-data; boundary={}", "x".repeat(71))]
    {
        assert_eq!(of(bad), Some(None), "{bad}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused_alike_however_cut(bytes in proptest::collection::vec(any::<u8>(), 0..400), step in 1usize..50) {
        prop_assert_eq!(read(&bytes, step), read(&bytes, bytes.len().max(1)));
    }

    #[test]
    fn what_looks_like_a_form_too(pieces in proptest::collection::vec(0usize..8, 0..24), step in 1usize..50) {
        const PIECES: [&str; 8] = ["--xyz", "\r\n", "--", "Content-Disposition: form-data; name=\"a\"", "; filename=\"f\"", "value", "\r\n\r\n",
            "Content-Disposition: form-data; name=file"];
        let form: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
        prop_assert_eq!(read(form.as_bytes(), step), read(form.as_bytes(), form.len().max(1)));
    }
}
