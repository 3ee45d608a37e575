//! Text out of whole files of every kind, good ones and broken ones.

use layer_chunk::{ExtractError, Kind, Limits, Options, Source, Splitter, Text, Unit, extract};
use pdf_extract::{Dictionary, Document, Object, ObjectId, Stream, StringFormat, dictionary};
use proptest::prelude::*;

fn of(bytes: &[u8], name: &str) -> Result<Text, ExtractError> {
    extract(&Source { bytes, name: Some(name), content_type: None }, &Limits::default())
}

/// A file with these pages, each the commands that draw it, and a form `/Form` that draws `form`.
fn pdf(pages: &[&str], form: &str) -> Document {
    let mut document = Document::with_version("1.5");
    let tree = document.new_object_id();
    let font = document.add_object(dictionary! {
    "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding" });
    let drawing = document.new_object_id();
    let resources = document.add_object(dictionary! {
    "Font" => dictionary! { "F" => font }, "XObject" => dictionary! { "Form" => drawing } });
    let head = dictionary! { "Type" => "XObject", "Subtype" => "Form", "Resources" => resources };
    document.objects.insert(drawing, Stream::new(head, form.as_bytes().to_vec()).into());
    let kids: Vec<Object> = pages.iter().map(|page| leaf(&mut document, tree, resources, page).into()).collect();
    let count = i64::try_from(kids.len()).expect("a few");
    let media: Vec<Object> = vec![0.into(), 0.into(), 600.into(), 800.into()];
    let root = dictionary! { "Type" => "Pages", "Kids" => kids, "Count" => count, "MediaBox" => media };
    document.objects.insert(tree, root.into());
    let catalog = document.add_object(dictionary! { "Type" => "Catalog", "Pages" => tree });
    document.trailer.set("Root", catalog);
    document
}

fn leaf(document: &mut Document, tree: ObjectId, resources: ObjectId, commands: &str) -> ObjectId {
    let content = document.add_object(Stream::new(Dictionary::new(), commands.as_bytes().to_vec()));
    let page = dictionary! { "Type" => "Page", "Parent" => tree, "Resources" => resources, "Contents" => content };
    document.add_object(page)
}

fn bytes(mut document: Document) -> Vec<u8> {
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("memory takes all");
    bytes
}

fn show(text: &str) -> String {
    format!("BT /F 12 Tf 50 700 Td ({text}) Tj ET")
}

#[test]
fn a_pdf_has_its_text_and_pages() {
    let text = of(&bytes(pdf(&[&show("Hello first page"), &show("And the second")], "")), "a.pdf").unwrap();
    assert_eq!(text.text, "Hello first page\n\nAnd the second");
    let options = Options { unit: Unit::Characters, size: 20, overlap: 0 };
    let chunks = Splitter::new(options, None).unwrap().split(&text).unwrap();
    let pages: Vec<_> = chunks.iter().map(|chunk| chunk.position.page).collect();
    assert_eq!(pages, [Some(1), Some(2)]);
}

#[test]
fn text_in_forms_is_found_and_pictures_are_left_out() {
    let mut document = pdf(&["/Form Do /Picture Do"], &show("in a form"));
    let picture = dictionary! { "Type" => "XObject", "Subtype" => "Image" };
    let picture = document.add_object(Stream::new(picture, b"BT (in a picture) Tj )))".to_vec()));
    for object in document.objects.values_mut() {
        if let Ok(forms) = object.as_dict_mut().and_then(|dict| dict.get_mut(b"XObject")).and_then(Object::as_dict_mut)
        {
            forms.set("Picture", picture);
        }
    }
    assert_eq!(of(&bytes(document), "a.pdf").unwrap().text, "in a form");
}

#[test]
fn a_form_that_draws_itself_is_refused() {
    let error = of(&bytes(pdf(&["/Form Do"], "/Form Do")), "a.pdf").unwrap_err();
    assert!(matches!(&error, ExtractError::Malformed { reason, .. } if reason.contains("nested too deep")), "{error}");
}

#[test]
fn a_page_that_is_its_own_parent_is_refused() {
    let mut document = pdf(&[&show("x")], "");
    let page = *document.get_pages().values().next().unwrap();
    document.get_dictionary_mut(page).unwrap().set("Parent", page);
    let error = of(&bytes(document), "a.pdf").unwrap_err();
    assert!(matches!(&error, ExtractError::Malformed { reason, .. } if reason.contains("nested too deep")), "{error}");
}

#[test]
fn a_pdf_without_text_is_refused() {
    let scanned = bytes(pdf(&["0 0 m 10 10 l S", ""], ""));
    assert_eq!(of(&scanned, "a.pdf"), Err(ExtractError::NoText { pages: 2 }));
}

#[test]
fn an_encrypted_pdf_is_read_only_without_a_password() {
    let encrypted = |user: &str| {
        let mut document = pdf(&[&show("secret words")], "");
        let id = Object::String(b"0123456789abcdef".to_vec(), StringFormat::Literal);
        document.trailer.set("ID", vec![id.clone(), id]);
        let version = pdf_extract::EncryptionVersion::V2 {
            document: &document,
            owner_password: "owner",
            user_password: user,
            key_length: 128,
            permissions: pdf_extract::Permissions::all(),
        };
        let state = pdf_extract::EncryptionState::try_from(version).unwrap();
        document.encrypt(&state).unwrap();
        bytes(document)
    };
    assert_eq!(of(&encrypted("user"), "a.pdf"), Err(ExtractError::Encrypted));
    assert_eq!(of(&encrypted(""), "a.pdf").unwrap().text, "secret words");
}

#[test]
fn a_page_that_the_parser_stumbles_over_is_named() {
    let error = of(&bytes(pdf(&[&show("fine"), "BT /Missing 12 Tf (x) Tj ET"], "")), "a.pdf").unwrap_err();
    assert!(matches!(&error, ExtractError::Malformed { reason, .. } if reason.starts_with("page 2")), "{error}");
}

#[test]
fn html_is_its_visible_text() {
    let page = "<html><head><title>T</title><script>var x</script><style>p{}</style></head><body>\
        <h1>Über uns</h1><p>One &amp; <b>two</b> <a href='http://x.example'>three</a></p><hr>\
        <table><tr><td>a</td><td>b</td></tr></table><ul><li>item</li></ul></body></html>";
    let text = of(page.as_bytes(), "a.html").unwrap();
    assert_eq!(text.kind, Kind::Html);
    for part in ["Über uns", "One & two three", "a", "b", "item"] {
        assert!(text.text.contains(part), "{part:?} is not in {:?}", text.text);
    }
    for part in ["var x", "p{}", "x.example", "─", "│", "[", "#", "*"] {
        assert!(!text.text.contains(part), "{part:?} is in {:?}", text.text);
    }
}

#[test]
fn a_long_paragraph_of_html_stays_one_line() {
    let long = "word ".repeat(5_000);
    assert_eq!(of(format!("<p>{long}</p>").as_bytes(), "a.html").unwrap().text.trim(), long.trim());
}

#[test]
fn html_nested_without_end_is_refused_before_it_costs_anything() {
    let error = of("<div>".repeat(1_000_000).as_bytes(), "a.html").unwrap_err();
    assert!(matches!(&error, ExtractError::Malformed { reason, .. } if reason.contains("nested too deep")), "{error}");
    let most = "<div>".repeat(1_900) + "x" + &"</div>".repeat(1_900);
    assert_eq!(
        of((most.clone() + &most).as_bytes(), "a.html").unwrap().text.split_whitespace().collect::<String>(),
        "xx"
    );
}

#[test]
fn limits_hold() {
    let limits = Limits { bytes_max: 100, text_max: 10, ..Limits::default() };
    let of = |bytes: &[u8], name| extract(&Source { bytes, name: Some(name), content_type: None }, &limits);
    assert_eq!(of(&[b'a'; 101], "a"), Err(ExtractError::TooLarge { size: 101, max: 100 }));
    assert_eq!(of(&[b'a'; 11], "a"), Err(ExtractError::TooMuchText { max: 10 }));
    let wide = Limits { text_max: 10, ..Limits::default() };
    let long = bytes(pdf(&[&show("more than ten")], ""));
    let result = extract(&Source { bytes: &long, name: Some("a.pdf"), content_type: None }, &wide);
    assert_eq!(result, Err(ExtractError::TooMuchText { max: 10 }));
}

#[test]
fn unsupported_types_are_named() {
    let source = Source { bytes: b"x", name: None, content_type: Some("image/png") };
    assert_eq!(extract(&source, &Limits::default()), Err(ExtractError::Unsupported("image/png".to_owned())));
}

/// A good file with some bytes changed, cut off somewhere.
fn spoil(mut good: Vec<u8>, changes: &[(prop::sample::Index, u8)], end: prop::sample::Index) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(good.len());
        good[at] = *byte;
    }
    good.truncate(end.index(good.len()) + 1);
    good
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn broken_pdfs_are_errors(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        end in any::<prop::sample::Index>(), whole: bool,
    ) {
        let good = bytes(pdf(&[&show("Hello"), "/Form Do"], &show("form")));
        let size = good.len();
        let mut spoiled = spoil(good, &changes, end);
        if whole {
            spoiled.resize(size, b' ');
        }
        let _ = of(&spoiled, "a.pdf");
    }

    #[test]
    fn garbage_is_text_or_an_error(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        for name in ["a.txt", "a.md", "a.html", "a.pdf"] {
            let _ = of(&garbage, name);
        }
        let _ = of(&[b"%PDF-1.7\n", garbage.as_slice()].concat(), "a.pdf");
    }

    #[test]
    fn html_soup_is_text(soup in "(<(div|table|tr|td|ul|li|pre|a href=x|b|svg|/div|/table|p|!--|td colspan=99999)>|&[a-z]{1,6};|[a-z ]{1,5}){0,60}") {
        prop_assert!(of(soup.as_bytes(), "a.html").is_ok());
    }
}
